/** How the holders of shards are reached, as they said a short while ago. */
import { endsWithin } from '../../core/waiting.ts';
import type { Peer, PeerContact } from '../../peer/peer.ts';

/** So long an answer counts, also that there was none: a peer that is silent is not asked for each block. */
const FRESH_MS = 60_000;
/** Longest wait for a peer that has never answered. Those who ask for a block want an answer, and this server has the block anyway. */
const FIRST_WAIT_MS = 500;

interface Asked {
  readonly at: number;
  readonly answer: Promise<void>;
  contacts: readonly PeerContact[] | undefined;
}

export class KnownContacts {
  readonly #asked = new WeakMap<Peer, Asked>();

  /** What the peer said last. Waits only for one that has never answered, and not for long; a silent peer has no contacts. */
  async of(peer: Peer): Promise<readonly PeerContact[]> {
    if (peer.contacts === undefined) return [];
    const asked = this.#fresh(peer);
    if (asked.contacts === undefined) await endsWithin(FIRST_WAIT_MS, asked.answer);
    return asked.contacts ?? [];
  }

  #fresh(peer: Peer): Asked {
    const before = this.#asked.get(peer);
    const now = performance.now();
    if (before !== undefined && now - before.at < FRESH_MS) return before;
    const asked: Asked = { at: now, contacts: before?.contacts, answer: Promise.resolve().then(() => this.#ask(peer)) };
    this.#asked.set(peer, asked);
    return asked;
  }

  async #ask(peer: Peer): Promise<void> {
    const contacts = await peer.contacts?.().catch(() => []);
    const asked = this.#asked.get(peer);
    if (asked !== undefined) asked.contacts = contacts ?? [];
  }
}
