/** How IPFS nodes reach the Kubo of each member, by the word of the members: one question for all of them. */
import { endsWithin } from '../../core/waiting.ts';
import { PROMPT_MS } from '../http/client.ts';
import { withoutId } from '../multiaddrs.ts';
import type { PeerContact } from '../peer.ts';
import type { ClusterApi } from './api.ts';

export class Contacts {
  readonly #api: ClusterApi;
  #asking: Promise<ReadonlyMap<string, PeerContact>> | undefined;

  constructor(api: ClusterApi) {
    this.#api = api;
  }

  /** By ID of the member, those that answer. Peers that ask at the same time share the answer. @throws ShardctlError `TOO_FEW_PEERS` */
  async all(): Promise<ReadonlyMap<string, PeerContact>> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  /** A member that hangs holds up the end of the list: the others have answered before. */
  async #ask(): Promise<ReadonlyMap<string, PeerContact>> {
    const contacts = new Map<string, PeerContact>();
    const read = async () => {
      for await (const { id, ipfs } of this.#api.identities())
        if (ipfs.id !== '') contacts.set(id, { id: ipfs.id, addresses: withoutId(ipfs.addresses) });
    };
    try {
      await endsWithin(PROMPT_MS, read());
    } catch (error) {
      if (contacts.size === 0) throw error;
    }
    return contacts;
  }
}
