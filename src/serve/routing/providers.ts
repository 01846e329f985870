/** Who has a block: this server, and the holders of its shard, each with the addresses at which the client can reach it. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { peerIdOf } from '../../dag/cid-text.ts';
import type { MirrorView } from '../mirror.ts';
import type { KnownContacts } from './known-contacts.ts';
import { type AddressScope, httpMultiaddr, scopeOf, scopeOfIp } from './multiaddr.ts';
import { BITSWAP_PROTOCOL, HTTP_PROTOCOL, type PeerRecord } from './peer-record.ts';

export interface ProvidersOptions {
  /** Multiaddrs under which this server is announced; undefined: the one that the client has reached. */
  readonly announced: readonly string[] | undefined;
  /** ID of the home. */
  readonly home: string;
}

/** What counts of a request: over which connection it came, and whether somebody passed it on. */
export type Client = Pick<IncomingMessage, 'socket' | 'headers'>;

export class Providers {
  readonly #options: ProvidersOptions;
  readonly #contacts: KnownContacts;

  constructor(options: ProvidersOptions, contacts: KnownContacts) {
    this.#options = options;
    this.#contacts = contacts;
  }

  /**
   * This server. Its address is that of the socket at which the request arrived, which no client can make up as it can a Host header. It
   * has no key, because nobody asks for one over HTTP: its ID is made of the home's ID and its addresses, so that servers of one home on
   * several machines are several peers, and one server is the same peer each time.
   */
  itself({ socket }: Client): PeerRecord {
    const addresses = this.#options.announced ?? reachedAddress(socket);
    const digest = createHash('sha256')
      .update(`shardctl serve\n${this.#options.home}\n${addresses.join('\n')}`)
      .digest();
    return { Schema: 'peer', ID: peerIdOf(digest), Addrs: addresses, Protocols: [HTTP_PROTOCOL] };
  }

  /** @param peers by name: those that hold the shard of the block */
  async holders(peers: readonly string[], view: MirrorView, client: Client): Promise<PeerRecord[]> {
    const contacts = await Promise.all(peers.flatMap((name) => view.peers.get(name) ?? []).map((peer) => this.#contacts.of(peer)));
    const scope = scopeOfClient(client);
    const records = new Map<string, PeerRecord>();
    for (const { id, addresses } of contacts.flat()) {
      const Addrs = addresses.filter((address) => isFor(scopeOf(address), scope));
      if (Addrs.length > 0) records.set(id, { Schema: 'peer', ID: id, Addrs, Protocols: [BITSWAP_PROTOCOL] });
    }
    return [...records.values()];
  }
}

/** Over TLS the client has named the host for which it has checked the certificate, which is of no worth for an IP address. */
function reachedAddress(socket: Client['socket']): readonly string[] {
  const { localAddress = '', localPort = 0 } = socket;
  const isTls = 'encrypted' in socket;
  const servername = 'servername' in socket ? socket.servername : undefined;
  const host = typeof servername === 'string' && /^[\w-]+(\.[\w-]+)*$/.test(servername) ? servername : localAddress;
  const address = httpMultiaddr(host, localPort, isTls);
  return address === undefined ? [] : [address];
}

/** From where the client has come. A proxy stands on this machine or near it, whoever its client is. */
function scopeOfClient({ socket, headers }: Client): AddressScope {
  const isPassedOn = headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined || headers.via !== undefined;
  return isPassedOn ? 'everybody' : scopeOfIp(socket.remoteAddress ?? '');
}

const DISTANCE: Readonly<Record<AddressScope, number>> = { machine: 0, network: 1, everybody: 2 };

/** An address in a private network is of no use outside, and nobody's business there. */
function isFor(address: AddressScope, client: AddressScope): boolean {
  return DISTANCE[address] >= DISTANCE[client];
}
