/**
 * Who may read what. A request is anonymous or holds a token; a repository that the token file names is private, every other one is
 * public. Blocks are shared by repositories, so a block is shown only when a repository that the request may read reaches it.
 *
 * Which blocks these are is found out in the background when the first request asks, and kept up with the views. Where no repositories
 * were named and none is private, every block of the home is shown, and nothing is computed.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { messageOf } from '../../core/errors.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { Reach } from './reach.ts';
import { Sight } from './sight.ts';
import type { Rights, Tokens } from './tokens.ts';

/** A request, as far as it says who asks: one of node:http, node:http2 or Fastify. */
export interface Asker {
  readonly headers: IncomingHttpHeaders;
}

export interface AccessOptions {
  readonly mirror: Mirror;
  readonly tokens: Tokens;
  /** The repositories that `serve` was asked for; all when empty. */
  readonly names: readonly string[];
  readonly onTrouble: (message: string, cause: string) => void;
  readonly signal: AbortSignal;
}

/** How a request is refused. */
export interface Refusal {
  readonly code: 401 | 404;
  readonly headers: Readonly<Record<string, string>>;
}

const NOT_FOUND: Refusal = { code: 404, headers: {} };
/** Headers of a 401: a browser then asks for a password, which is the token. */
export const CHALLENGE = { 'www-authenticate': 'Basic realm="shardctl", charset="UTF-8"', 'cache-control': 'no-store' } as const;
const UNAUTHORIZED: Refusal = { code: 401, headers: CHALLENGE };

/** After this long, nodes that could not be read are tried again. */
const RETRY_MS = 60_000;

export class Access {
  readonly #options: AccessOptions;
  #tokens: Tokens;
  /** By the names that the requests may read, beside what is public. */
  #sights = new Map<string, Sight>();
  readonly #reaches = new Map<string, Reach>();
  /** Every repository, with the names that it had before `rename`: what was private stays private. */
  #before: ReadonlyMap<string, readonly string[]> = new Map();
  #isAtWork = false;

  constructor(options: AccessOptions) {
    const { mirror, tokens } = options;
    this.#options = options;
    this.#tokens = tokens;
    const view = mirror.acquire();
    this.#before = namesBefore(view);
    mirror.release(view);
    mirror.onChange((newest) => {
      this.#before = namesBefore(newest);
      void this.#work();
    });
  }

  /** Whether answers depend on who asks, so that shared caches must not keep them. */
  get isRestricted(): boolean {
    return !this.#tokens.isEmpty;
  }

  /** What the token file names and no repository is, or was, called: most likely a slip, which leaves something public. */
  get strangeNames(): readonly string[] {
    const known = new Set([...this.#before].flatMap(([name, before]) => [name, ...before]));
    return [...this.#tokens.names].filter((name) => !known.has(name));
  }

  /** From now on these tokens count. */
  renewTokens(tokens: Tokens): void {
    this.#tokens = tokens;
    // Whoever could read a repository may not be able to any more.
    this.#sights = new Map();
  }

  /** Whether answers of this repository depend on who asks. */
  isPrivate(name: string): boolean {
    if (this.#tokens.isEmpty) return false;
    return this.#tokens.isPrivate(name) || this.#before.get(name)?.some((it) => this.#tokens.isPrivate(it)) === true;
  }

  /** Whether the request may read the repository of this name, if there is one. What is not served nobody may read. */
  mayRead({ headers }: Asker, name: string): boolean {
    const { names } = this.#options;
    if (names.length > 0 && !names.includes(name)) return false;
    return !this.isPrivate(name) || this.#opens(this.#tokens.rightsOf(headers.authorization), name);
  }

  /**
   * How to answer a request for a repository that it may not read, or that is not there: 401 while there is a token that might open more,
   * else 404. Nobody learns from the answer which of the two it was.
   */
  refusal({ headers }: Asker): Refusal {
    return this.#tokens.isEmpty || this.#tokens.rightsOf(headers.authorization).opensAll ? NOT_FOUND : UNAUTHORIZED;
  }

  /**
   * Whether the request may see the block: of a file or directory, of a snapshot or catalogue, or a node of a shard's manifest. The root
   * of a shard is seen only where every block of the shard is, so whoever sees it may have the whole shard. Must be asked before the
   * block is looked for, so that what is hidden takes as long as what is not there; both are answered 404.
   * @throws NotYetKnown when that is still being found out
   */
  sees({ headers }: Asker, view: MirrorView, digest: Uint8Array): boolean {
    // Where names were given, there may always be blocks of others: of one that is just being added, or whose blocks are not gone yet.
    const isWhole = this.#options.names.length === 0;
    if (isWhole && this.#tokens.isEmpty) return true;
    const rights = this.#tokens.rightsOf(headers.authorization);
    return (isWhole && rights.opensAll) || this.#isSeen(rights, view, digest);
  }

  /** Whether it is finding out what may be shown. */
  get isAtWork(): boolean {
    return this.#isAtWork;
  }

  /** Bytes that the knowledge of what repositories reach takes. */
  get bytes(): number {
    let bytes = 0;
    for (const reach of this.#reaches.values()) bytes += reach.bytes;
    return bytes;
  }

  #isSeen(rights: Rights, view: MirrorView, digest: Uint8Array): boolean {
    const sight = this.#sightOf(rights);
    const seen = sight.sees(view, digest);
    if (seen !== undefined) return seen;
    void this.#work();
    throw new NotYetKnown();
  }

  /** A token for a name that the repository had before opens it, too, unless that is the name of another one by now. */
  #opens({ opensAll, names }: Rights, name: string): boolean {
    if (opensAll || names.has(name)) return true;
    return (this.#before.get(name) ?? []).some((it) => names.has(it) && !this.#before.has(it));
  }

  #sightOf(rights: Rights): Sight {
    const key = rights.opensAll ? '*' : [...rights.names].sort().join('\n');
    let sight = this.#sights.get(key);
    if (sight === undefined) {
      const readable = ({ repositories }: MirrorView) =>
        [...repositories.values()].filter(({ name }) => !this.isPrivate(name) || this.#opens(rights, name));
      sight = new Sight({ readable, reachOf: (name) => this.#reachOf(name) });
      this.#sights.set(key, sight);
    }
    return sight;
  }

  #reachOf(name: string): Reach {
    let reach = this.#reaches.get(name);
    if (reach === undefined) {
      reach = new Reach();
      this.#reaches.set(name, reach);
    }
    return reach;
  }

  /** Finds out what every sight that was asked for sees of the newest view, one after the other. */
  async #work(): Promise<void> {
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#follow(...next);
    } catch (error) {
      if (!this.#options.signal.aborted) this.#options.onTrouble(`cannot find out what may be shown: ${messageOf(error)}`, 'access');
    } finally {
      this.#isAtWork = false;
    }
  }

  /** A sight that does not know the newest view, which must be released. */
  #next(): [Sight, MirrorView] | undefined {
    if (this.#options.signal.aborted) return undefined;
    const view = this.#options.mirror.acquire();
    for (const name of this.#reaches.keys()) if (!view.repositories.has(name)) this.#reaches.delete(name);
    const sight = [...this.#sights.values()].find((it) => !it.isKnown(view));
    if (sight !== undefined) return [sight, view];
    this.#options.mirror.release(view);
    return undefined;
  }

  async #follow(sight: Sight, view: MirrorView): Promise<void> {
    const { mirror, signal, onTrouble } = this.#options;
    let isTroubled = false;
    try {
      await sight.follow(view, {
        blocks: view.blocks,
        signal,
        onTrouble: (error) => {
          isTroubled = true;
          onTrouble(`what is below a block that cannot be read stays hidden: ${messageOf(error)}`, 'access');
        },
      });
    } finally {
      mirror.release(view);
    }
    if (isTroubled) {
      setTimeout(() => {
        sight.lookAgain();
        void this.#work();
      }, RETRY_MS).unref();
    }
  }
}

function namesBefore({ index }: MirrorView): Map<string, readonly string[]> {
  return new Map(index.repositories().map(({ name, renamedFrom = [] }) => [name, renamedFrom]));
}

/** Which blocks the repositories reach is still being found out: answered with 503 and `Retry-After`. */
export class NotYetKnown extends Error {
  readonly statusCode = 503;
  /** Seconds. */
  readonly retryAfter = 5;
}
