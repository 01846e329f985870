/**
 * Files that are written while their shards stream by. Adding one costs no read where its shard's manifest tells enough. Portions of a few
 * thousand files are written by threads while more are added. What does not come with the streams is read block by block at the end.
 */
import type { Libc } from '../core/libc.ts';
import { type ByteString, DAG_PB, DIGEST_BYTES, type Metadata, RAW } from '../core/model.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import type { Repetition } from '../read/tree/repetition.ts';
import type { TreeEntry, TreeLink } from '../read/tree/tree.ts';
import type { Destination } from './destination.ts';
import { writeLate } from './late-file.ts';
import { placesOf } from './leaf-places.ts';
import { type SharedState, type StreamTrouble, shardJob, type WorkerMessage, type WriterSettings } from './shard-job.ts';
import { type ShardAccess, ShardTables } from './shard-tables.ts';
import { type MakeJob, receivedError, ShardThreads } from './shard-threads.ts';
import { FIRST_FILES, HAS_LEAF, IS_RAW, WantedFiles } from './wanted-files.ts';

export interface StreamedFilesOptions extends WriterSettings {
  readonly shards: ShardAccess;
  /** For what does not come with the streams. */
  readonly blocks: Blocks;
  /** Makes large files before their leaves come. Threads have others of their own, with the same settings. */
  readonly destination: Destination;
  readonly libc: Libc | undefined;
  /** Where the tree may be a stranger's. */
  readonly repetition: Repetition | undefined;
  readonly signal: AbortSignal;
  readonly events: StreamEvents;
  /** What will be added, where that is known. */
  readonly expected: { readonly entries: number; readonly bytes: number } | undefined;
}

export interface StreamEvents {
  /** Complete, and under their names. */
  done(paths: number, symlinks: number, bytes: number): void;
  /** It cannot be written, or its blocks cannot be read. What this throws is thrown by `add`, `addFile` or `finish`. */
  failed(path: ByteString, error: unknown): void;
  /** Its root did not come, is no file, or has its leaves elsewhere: the caller reads the entry by its block. What this throws is thrown by `finish`. */
  late(path: ByteString, root: { readonly codec: typeof RAW | typeof DAG_PB; readonly digest: Uint8Array }): Promise<void>;
  /** A copy of a shard cannot be read as a stream. */
  trouble(trouble: StreamTrouble): void;
}

/** A node with one link, or with none, has no more bytes than this: any other entry is read when it is added. */
const MOST_PLAIN_BYTES = 256;

/** Less than this is read in the main thread: to start a thread takes 40 ms of a core. */
const LITTLE = { files: 200, bytes: 8 * 1024 * 1024 };
/** Portions that are written at a time, or wait to be; a thread has two of them. */
const MOST_PORTIONS = 6;

/** Files that are being written together. */
interface Portion {
  readonly wanted: WantedFiles;
  readonly shared: SharedState;
}

export class StreamedFiles {
  readonly #options: StreamedFilesOptions;
  readonly #tables: ShardTables;
  readonly #threads: ShardThreads;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #wanted = new WantedFiles(FIRST_FILES);
  /** Each resolves when all jobs of its portion are over, and never rejects. */
  readonly #running = new Set<Promise<void>>();
  /** Portions with files that did not come with the streams. */
  #late: Portion[] = [];
  /** Portions whose large files are not known to be complete. */
  readonly #open = new Set<Portion>();
  /** Messages of threads, a few for each shard and gateway at most. */
  readonly #told = new Set<string>();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: StreamedFilesOptions) {
    this.#options = options;
    this.#tables = new ShardTables(options.shards);
    this.#threads = new ShardThreads(options, options.libc);
    options.signal.addEventListener('abort', this.#abort, { once: true });
    // They take 90 ms to start, each on its own: meanwhile this one reads the first manifest and directories.
    const { entries, bytes } = options.expected ?? { entries: 0, bytes: 0 };
    if (entries >= LITTLE.files && bytes >= LITTLE.bytes) this.#threads.start();
  }

  /**
   * Takes an entry of a directory, if its root says all in a stream: a raw leaf, a file of one leaf that lies right before it, an empty file, a
   * symlink. @returns false when it must be read first: it may be a directory, or a large file (`addFile`)
   */
  async add(directory: ByteString, { name, codec, digest, dagSize }: TreeLink): Promise<boolean> {
    if (this.#wanted.isFull) await this.#begin();
    const root = await this.#tables.find(digest);
    if (root === undefined) return false;
    const length = this.#tables.lengthOf(root);
    if (codec === RAW || dagSize === length) {
      this.#wanted.addPlain(directory, name, root, length, codec === RAW ? IS_RAW : 0);
      return true;
    }
    if (length > MOST_PLAIN_BYTES || root.ordinal === 0) return false;
    const leaf = this.#tables.lengthOf({ shard: root.shard, ordinal: root.ordinal - 1 });
    if (dagSize !== length + leaf) return false;
    this.#wanted.addPlain(directory, name, root, leaf, HAS_LEAF);
    return true;
  }

  /**
   * Takes a file whose root was read, and makes it, empty, where it has several leaves. Reads its inner nodes.
   * @returns false when its leaves are in no shard that is known, or their places do not follow from its nodes
   */
  async addFile(directory: ByteString, name: ByteString, file: TreeEntry): Promise<boolean> {
    const { blocks, destination, repetition } = this.#options;
    if (this.#wanted.isFull) await this.#begin();
    const places = await placesOf(file, this.#tables, blocks, repetition);
    if (places === undefined) return false;
    const { size } = file;
    const metadata = metadataOf(file);
    const made = places.length === 1 ? undefined : destination.makeFile(`${directory}/${name}`, size, metadata);
    this.#wanted.addPlaced(directory, name, { metadata, size, made }, places);
    return true;
  }

  /**
   * Waits until all that was added is written, and reads by their blocks what did not come with the streams; the caller may add more
   * meanwhile. @throws what the events throw; what `signal` was aborted with
   */
  async finish(): Promise<void> {
    while (this.#wanted.files > 0 || this.#running.size > 0 || this.#late.length > 0) {
      await this.#begin();
      await Promise.all(this.#running);
      this.#assertGoing();
      for (const portion of this.#late.splice(0)) {
        for (let file = 0; file < portion.wanted.files; file++) if (portion.shared.over[file] === 0) await this.#writeLate(portion, file);
        this.#open.delete(portion);
      }
    }
  }

  readonly #abort = () => this.#fail(this.#options.signal.reason);

  /** Stops what is not finished, and deletes files of which only a part is there. */
  async close(): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    this.#options.signal.removeEventListener('abort', this.#abort);
    await this.#threads.close();
    for (const { wanted, shared } of this.#open)
      for (const file of wanted.placed.keys()) if (shared.over[file] !== 1) this.#drop(wanted, file);
    for (const file of this.#wanted.placed.keys()) this.#drop(this.#wanted, file);
  }

  #assertGoing(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#options.signal.throwIfAborted();
  }

  /** Has what was added written, as soon as there is room. */
  async #begin(): Promise<void> {
    while (this.#running.size >= MOST_PORTIONS) await Promise.race(this.#running);
    this.#assertGoing();
    const wanted = this.#wanted;
    if (wanted.files === 0) return;
    this.#wanted = wanted.next();
    const portion = { wanted, shared: sharedState(wanted, this.#stop) };
    this.#open.add(portion);
    const isLittle = !this.#threads.isStarted && wanted.files < LITTLE.files && wanted.bytes < LITTLE.bytes;
    const running = this.#write(portion, isLittle)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** One job a shard, in the order in which the shards are first needed. */
  async #write(portion: Portion, isLittle: boolean): Promise<void> {
    const { wanted, shared } = portion;
    const jobs = [...usesByShard(wanted)].map(
      ([shard, uses]): MakeJob =>
        async (id) => {
          const streams = this.#failure === undefined ? await this.#tables.streams(shard) : [];
          if (streams.length === 0) return undefined;
          const contents = await this.#tables.contents(shard);
          return shardJob(id, wanted, uses, this.#tables.cidOf(shard), contents, streams, shared, this.#options.destination.into.top);
        },
    );
    const onMessage = (message: WorkerMessage) => {
      try {
        if (this.#failure === undefined) this.#hear(message, portion);
      } catch (error) {
        this.#fail(error);
      }
    };
    if (isLittle) for (const job of jobs) await this.#threads.doHere(job, onMessage);
    else await Promise.all(jobs.map((job) => this.#threads.submit(job, onMessage)));
    if (shared.over.includes(0)) this.#late.push(portion);
    else this.#open.delete(portion);
  }

  #hear(message: WorkerMessage, { wanted }: Portion): void {
    const { destination, events } = this.#options;
    switch (message.type) {
      case 'done':
        events.done(message.files, message.symlinks, message.bytes);
        break;
      case 'failed':
        this.#drop(wanted, message.file);
        events.failed(wanted.pathOf(message.file), receivedError(message.error));
        break;
      case 'warning':
        destination.metadata.warn(message.message, message.key);
        break;
      case 'end':
        destination.metadata.withheld += message.withheld;
        for (const trouble of message.trouble) {
          // Each thread finds out by itself that a gateway lies.
          if (!this.#told.has(trouble.message)) events.trouble(trouble);
          this.#told.add(trouble.message);
        }
        break;
      default:
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    Atomics.store(this.#stop, 0, 1);
  }

  async #writeLate({ wanted, shared }: Portion, file: number): Promise<void> {
    const { events, blocks, destination, signal } = this.#options;
    const path = wanted.pathOf(file);
    const placed = wanted.placed.get(file);
    if (placed === undefined) {
      const use = wanted.firstUse[file] as number;
      const digest = await this.#digestOf(wanted, use);
      shared.over[file] = 2;
      await events.late(path, { codec: ((wanted.useFlags[use] as number) & IS_RAW) === 0 ? DAG_PB : RAW, digest });
      return;
    }
    try {
      const digestOf = (use: number) => this.#digestOf(wanted, use);
      const bytes = await writeLate({
        wanted,
        placed,
        path,
        first: wanted.firstUse[file] as number,
        written: shared.written,
        digestOf,
        blocks,
        destination,
      });
      shared.over[file] = 1;
      events.done(1, 0, bytes);
    } catch (error) {
      shared.over[file] = 2;
      this.#drop(wanted, file);
      if (signal.aborted) throw error;
      events.failed(path, error);
    }
  }

  async #digestOf(wanted: WantedFiles, use: number): Promise<Uint8Array> {
    const at = { shard: wanted.useShard[use] as number, ordinal: wanted.useOrdinal[use] as number };
    return Uint8Array.from(await this.#tables.digestOf(at)).subarray(0, DIGEST_BYTES);
  }

  #drop(wanted: WantedFiles, file: number): void {
    const made = wanted.placed.get(file)?.made;
    if (made !== undefined) this.#options.destination.dropMade(made);
  }
}

/** Of an entry, without the entry: what holds it lets go of its block. */
export function metadataOf({ mode, mtimeNs }: Pick<TreeEntry, 'mode' | 'mtimeNs'>): Metadata {
  return { ...(mode === undefined ? {} : { mode }), ...(mtimeNs === undefined ? {} : { mtimeNs }) };
}

function usesByShard({ useShard }: WantedFiles): Map<number, number[]> {
  const byShard = new Map<number, number[]>();
  for (let use = 0; use < useShard.length; use++) {
    const shard = useShard[use] as number;
    const uses = byShard.get(shard);
    if (uses === undefined) byShard.set(shard, [use]);
    else uses.push(use);
  }
  return byShard;
}

function sharedState(wanted: WantedFiles, stop: Int32Array): SharedState {
  const lacking = new Int32Array(new SharedArrayBuffer(wanted.files * Int32Array.BYTES_PER_ELEMENT));
  for (const [file, { uses }] of wanted.placed) lacking[file] = uses;
  return {
    lacking,
    written: new Uint8Array(new SharedArrayBuffer(wanted.uses)),
    over: new Uint8Array(new SharedArrayBuffer(wanted.files)),
    stop,
  };
}
