/**
 * Who may read what. A request is anonymous or holds a token; a repository that the token file names is private, every other one is
 * public. Blocks are shared by repositories, so a block is shown only when a repository that the request may read reaches it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Mirror, MirrorView } from '../mirror.ts';

/** A request, as far as it says who asks: one of node:http, node:http2 or Fastify. */
export interface Asker {
  readonly headers: IncomingHttpHeaders;
}

export class Access {
  constructor(_mirror: Mirror) {}

  /** Whether some repositories are private, so that answers depend on who asks and must not be kept by shared caches. */
  get isRestricted(): boolean {
    return false;
  }

  /** Whether the request may read the repository of this name; also true of a name that no repository has and no token protects. */
  mayRead(_asker: Asker, _name: string): boolean {
    return true;
  }

  /**
   * Whether the request may see the block: of a file or directory, of a snapshot or catalogue, or a node of a shard's manifest. The root
   * of a shard is seen only where every block of the shard is, so whoever sees it may have the whole shard. Must be asked before the
   * block is looked for, so that what is hidden takes as long as what is not there; both are answered 404.
   * @throws NotYetKnown when that is still being found out
   */
  sees(_asker: Asker, _view: MirrorView, _digest: Uint8Array): boolean {
    return true;
  }
}

/** Which blocks the repositories reach is still being found out: answered with 503 and `Retry-After`. */
export class NotYetKnown extends Error {
  readonly statusCode = 503;
  /** Seconds. */
  readonly retryAfter = 5;
}

/**
 * How a repository is answered that the request may not read, and, while there are tokens that the request does not hold, also one that
 * does not exist: nobody learns from the answer which of the two it was.
 */
export const CHALLENGE = { 'www-authenticate': 'Basic realm="shardctl", charset="UTF-8"' } as const;
