/**
 * Answers with small files that were given before, given again before any route is looked for: the header as it was, and the body from
 * memory, or else read anew from its place in a CAR and hashed. Most requests to a mirror are of this kind.
 *
 * An answer is kept under its address with the snapshot that was the head, and counts for as long as that is the head: it is never
 * stale. Only answers that depend on nothing else are kept: whole files of public repositories, at addresses without a query.
 *
 * Holds 24 MiB of headers and 32 MiB of bodies.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { SnapshotRecord } from '../../core/model.ts';
import { onlyLeafOf } from '../../dag/node-reader.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import type { FoundEntry } from '../../read/tree/tree-paths.ts';
import type { Access } from '../access/access.ts';
import { readSmall, SMALL_BYTES } from '../body/small-body.ts';
import { answerWhole, headerOf } from '../body/whole-answer.ts';
import type { Mirror, MirrorView } from '../mirror.ts';

const HEADERS_BYTES = 24 * 1024 * 1024;
const BODIES_BYTES = 32 * 1024 * 1024;
/** About what an answer takes on the heap beside its address: strings of its own, and places in two maps. */
const ANSWER_BYTES = 900;
const MOST_ADDRESS = 512;

/** An answer that may be given again. */
export interface HotAnswer {
  /** As it was asked for. */
  readonly url: string;
  readonly name: string;
  /** The head of the repository, from which it comes. */
  readonly head: SnapshotRecord;
  readonly headers: Readonly<Record<string, string>>;
  readonly file: FoundEntry;
  /** Kept itself only where it is not one leaf. */
  readonly body: Uint8Array;
}

/** Counts what is answered, see `ServeMetrics`. */
export interface HotCounts {
  answered(route: 'path', method: string, status: number, bytes: number, seconds: number): void;
  hit(cache: 'bodies'): void;
  miss(cache: 'bodies'): void;
}

export interface HotAnswersOptions {
  readonly mirror: Pick<Mirror, 'newest' | 'catchUp'>;
  readonly access: Pick<Access, 'isPrivate'>;
  readonly metrics: HotCounts;
  /** Whether somebody looks at the headers of the response after it was sent. */
  readonly isLogged: boolean;
}

class Kept {
  readonly name: string;
  /** As `headerOf` gives it. */
  readonly header: string;
  /** Digest of the block that is the whole body; undefined when there is none. */
  readonly leaf: Uint8Array | undefined;
  readonly length: number;
  /** The body, while it is among those that are kept. */
  body: Uint8Array | undefined;
  /** Where the leaf was found last. */
  extent: Extent | undefined;
  /** The newest head for which it was found to hold. */
  head: SnapshotRecord;
  /** Number of the request that asked for it last. */
  askedAt = 0;

  constructor({ name, head, headers, file, body }: HotAnswer) {
    this.name = name;
    this.head = head;
    this.header = headerOf(headers);
    this.leaf = leafOf(file);
    this.length = body.length;
  }
}

export class HotAnswers {
  readonly #options: HotAnswersOptions;
  readonly #answers = new LRUCache<string, Kept>({
    maxSize: HEADERS_BYTES,
    sizeCalculation: (_, url) => url.length + ANSWER_BYTES,
    dispose: (kept) => void this.#bodies.delete(kept),
  });
  readonly #bodies = new LRUCache<Kept, Uint8Array>({
    maxSize: BODIES_BYTES,
    sizeCalculation: ({ length }) => length + 200,
    dispose: (_, kept) => {
      kept.body = undefined;
    },
  });
  #requests = 0;

  constructor(options: HotAnswersOptions) {
    this.#options = options;
  }

  /** @returns false when somebody else must answer */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const kept = this.#answers.get(request.url ?? '');
    if (kept === undefined || request.method !== 'GET' || isSpecial(request.headers)) return false;
    // Another process may have shown the client a newer head: the route waits for it.
    if (this.#options.mirror.catchUp?.() !== undefined) return false;
    const start = performance.now();
    const body = this.#bodyOf(kept);
    if (body === undefined) return false;
    answerWhole(request, response, { header: kept.header, body, isLogged: this.#options.isLogged });
    this.#options.metrics.answered('path', 'GET', 200, kept.length, (performance.now() - start) / 1000);
    return true;
  }

  /** Keeps an answer with a whole file of the head, if it may be given to everybody. */
  keep(answer: HotAnswer): void {
    const { url, name, body } = answer;
    if (body.length > SMALL_BYTES || url.length > MOST_ADDRESS || this.#options.access.isPrivate(name)) return;
    const kept = new Kept(answer);
    this.#answers.set(url, kept);
    // What is read anew each time stays out until it is asked for again soon.
    if (kept.leaf === undefined) this.#keepBody(kept, body);
    kept.askedAt = this.#requests;
  }

  #bodyOf(kept: Kept): Uint8Array | undefined {
    const { mirror, access, metrics } = this.#options;
    const view = mirror.newest;
    const head = view.repositories.get(kept.name)?.head;
    if (head !== kept.head) {
      if (head === undefined || head.number !== kept.head.number || head.cid !== kept.head.cid) return undefined;
      kept.head = head;
    }
    if (access.isPrivate(kept.name)) return undefined;
    if (kept.body !== undefined) {
      metrics.hit('bodies');
      return this.#bodies.get(kept);
    }
    if (kept.leaf === undefined) return undefined;
    metrics.miss('bodies');
    return this.#read(kept, kept.leaf, view);
  }

  /** Undefined also when something must be opened first. */
  #read(kept: Kept, leaf: Uint8Array, { blocks }: MirrorView): Uint8Array | undefined {
    if (kept.extent?.file.isOpen !== true) kept.extent = blocks.extentNow(leaf);
    const { extent } = kept;
    const body = extent?.length === kept.length ? readSmall(extent, leaf) : undefined;
    if (body !== undefined) this.#admit(kept, body);
    return body;
  }

  /**
   * Keeps a body that will probably be asked for while it is kept: one that was asked for no longer ago than as many requests as bodies
   * are kept. A client that reads a whole mirror, one file after the other, would else replace all of them, over and over.
   */
  #admit(kept: Kept, body: Uint8Array): void {
    const now = ++this.#requests;
    if (now - kept.askedAt <= this.#bodies.size + FIRST_BODIES) this.#keepBody(kept, Buffer.from(body));
    kept.askedAt = now;
  }

  #keepBody(kept: Kept, body: Uint8Array): void {
    this.#bodies.set(kept, body);
    kept.body = body;
  }
}

/** So many bodies are kept, however seldom they are asked for. */
const FIRST_BODIES = 1024;

/** The digest of the raw leaf that is all of the file, if there is one. */
export function leafOf({ digest, node }: FoundEntry): Uint8Array | undefined {
  const leaf = node === undefined ? digest : onlyLeafOf(node)?.digest;
  return leaf === undefined ? undefined : Buffer.from(leaf);
}

/** Whether the answer depends on other headers, or there is a body, which is refused. */
function isSpecial(headers: IncomingHttpHeaders): boolean {
  return (
    headers['content-length'] !== undefined ||
    headers['transfer-encoding'] !== undefined ||
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers.range !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  );
}
