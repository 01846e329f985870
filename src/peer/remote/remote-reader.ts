/** Reads a shard from a Kubo daemon or a gateway; every byte is hashed here. A daemon is asked offline, so that what it gives is evidence that it has it. */
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB, DIGEST_BYTES, RAW } from '../../core/model.ts';
import { blockText, cidText, hashesTo, parseCid } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { contentsOf, type Manifest, readManifest } from '../../shard/manifest.ts';
import type { HttpClient } from '../http/client.ts';
import { HttpError } from '../http/error.ts';
import type { HttpResponse } from '../http/response.ts';
import type { ReadBlock, ShardContents, ShardReader } from '../peer.ts';
import { carSections } from './car-sections.ts';
import { isOfTheDaemon, NotGiven } from './daemon-trouble.ts';
import { ReadAhead } from './read-ahead.ts';

/** Nodes of a manifest for which the daemon is asked at once. */
const MANIFEST_READS = 8;

/** From where blocks are read: a Kubo daemon or a gateway. */
export interface ShardSource {
  readonly http: Pick<HttpClient, 'who' | 'address'>;
  /** The bytes of a block, not hashed; undefined when there are none. */
  block(cid: string, what: string): Promise<Buffer | undefined>;
  /** The DAG below `cid` as a CAR; it may leave out what is missing. */
  exportCar(cid: string, what: string): Promise<HttpResponse>;
  /** A part of a UnixFS file as it comes in, not hashed; less or nothing where that fails. */
  range(cid: string, offset: number, length: number): AsyncIterable<Buffer>;
}

/** Is told of each block that is there and does not have its hash. */
export type OnWrong = (digest: Uint8Array) => void;

/**
 * Opens a shard by its manifest, pinned or not.
 * @throws ShardctlError `DAMAGE` when a node of the manifest is missing or wrong, or the daemon's datastore says that it is broken
 */
export async function openShard(rpc: ShardSource, cid: string, onWrong: OnWrong = () => {}): Promise<ShardReader> {
  try {
    const manifest = await readManifest(parseCid(cid), manifestNodes(rpc, `reading the manifest of shard ${cid}`, onWrong));
    return new RemoteShardReader(rpc, cid, manifest, onWrong);
  } catch (error) {
    throw readError(error, rpc, cid);
  }
}

/** One block, hashed; undefined when it is not there. @throws ShardctlError `DAMAGE` when its bytes have another hash */
export async function singleBlock(rpc: ShardSource, digest: Uint8Array): Promise<Uint8Array | undefined> {
  const cid = cidText({ codec: RAW, digest }, 1);
  const bytes = await rpc.block(cid, `reading block ${cid}`);
  if (bytes === undefined || hashesTo(bytes, digest)) return bytes;
  throw new ShardctlError('DAMAGE', `block ${cid} does not have its hash on ${rpc.http.who} (${rpc.http.address})`);
}

/** Gives the nodes of a manifest one after the other. While one is waited for, the next ones are asked for already. */
function manifestNodes(rpc: ShardSource, what: string, onWrong: OnWrong): (digest: Uint8Array) => Promise<Uint8Array | undefined> {
  const asked = new Map<string, Promise<Buffer | undefined>>();
  const waiting: string[] = [];
  const ask = (cid: string) => {
    const answer = asked.get(cid) ?? rpc.block(cid, what);
    asked.set(cid, answer);
    // A failure reaches whoever needs the node; maybe nobody does any more.
    answer.catch(() => {});
    return answer;
  };
  return async (digest) => {
    const cid = cidText({ codec: DAG_PB, digest }, 1);
    const answer = ask(cid);
    for (const next of waiting.splice(0, Math.max(0, MANIFEST_READS - asked.size))) ask(next);
    const bytes = await answer;
    asked.delete(cid);
    if (bytes === undefined) return undefined;
    if (!hashesTo(bytes, digest)) {
      onWrong(digest);
      return undefined;
    }
    const below = decodeNode(bytes).links.filter(({ codec }) => codec === DAG_PB);
    waiting.unshift(...below.map((link) => cidText({ codec: DAG_PB, digest: link.digest }, 1)));
    return bytes;
  };
}

class RemoteShardReader implements ShardReader {
  readonly #rpc: ShardSource;
  readonly #cid: string;
  readonly #manifest: Manifest;
  readonly #onWrong: OnWrong;
  readonly #ahead: ReadAhead;

  constructor(rpc: ShardSource, cid: string, manifest: Manifest, onWrong: OnWrong) {
    this.#rpc = rpc;
    this.#cid = cid;
    this.#manifest = manifest;
    this.#onWrong = onWrong;
    this.#ahead = new ReadAhead(manifest.lengths, (offset, length) => rpc.range(cid, offset, length));
  }

  get blocks(): number {
    return this.#manifest.lengths.length;
  }

  contents(): ShardContents {
    return contentsOf(this.#manifest);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const index = this.#manifest.blocks.get(digest);
    if (index === undefined) return undefined;
    // A block that is wrong in its range is asked for by itself, which tells what is wrong with it.
    const ahead = await this.#ahead.block(index);
    if (ahead !== undefined && hashesTo(ahead, digest)) return ahead;
    const bytes = await this.#block(digest);
    if (typeof bytes === 'string') throw readError(new ShardctlError('DAMAGE', bytes), this.#rpc, this.#cid);
    return bytes;
  }

  /**
   * One stream of all blocks. A block that the stream leaves out is asked for by itself before it is called missing. One that the daemon cannot
   * give then, for a trouble of its own, keeps no other from being read, and is no damage: the scan fails for it after all others.
   */
  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    const digests = this.#manifest.blocks.digests();
    const count = this.blocks;
    const notGiven = new NotGiven(this.#cid);
    let next = 0;
    for await (const { codec, digest, data } of this.#stream()) {
      if (codec !== RAW) continue;
      const index = this.#manifest.blocks.get(digest);
      if (index === undefined || index < next) continue;
      yield* this.#oneByOne(next, index, onDamage, notGiven);
      next = index + 1;
      const known = digests.subarray(index * DIGEST_BYTES, next * DIGEST_BYTES);
      if (hashesTo(data, known)) yield { digest: known, bytes: data };
      else onDamage(this.#wrong(known));
    }
    yield* this.#oneByOne(next, count, onDamage, notGiven);
    notGiven.end();
  }

  async close(): Promise<void> {
    this.#ahead.close();
  }

  /** The sections of the whole shard. They end early when the daemon says that it cannot go on, for which one bad block is enough. */
  async *#stream() {
    try {
      const response = await this.#rpc.exportCar(this.#cid, `reading shard ${this.#cid}`);
      yield* carSections(response.bytes());
    } catch (error) {
      if (!(error instanceof HttpError) || error.said === '') throw error;
    }
  }

  async *#oneByOne(from: number, to: number, onDamage: (detail: string) => void, notGiven: NotGiven): AsyncIterable<ReadBlock> {
    const digests = this.#manifest.blocks.digests();
    for (let index = from; index < to; index++) {
      const digest = digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
      const bytes = await notGiven.of(() => this.#block(digest));
      if (typeof bytes === 'string') onDamage(bytes);
      else if (bytes !== undefined) yield { digest, bytes };
    }
  }

  /** The block, hashed; or as text what is wrong with it. */
  async #block(digest: Uint8Array): Promise<Buffer | string> {
    const cid = cidText({ codec: RAW, digest }, 1);
    try {
      const bytes = await this.#rpc.block(cid, `reading block ${cid}`);
      if (bytes === undefined) return `block ${cid} is missing`;
      return hashesTo(bytes, digest) ? bytes : this.#wrong(digest);
    } catch (error) {
      if (saysBroken(error)) return `block ${cid} cannot be read: ${error.said}`;
      throw error;
    }
  }

  #wrong(digest: Uint8Array): string {
    this.#onWrong(digest);
    return `block ${blockText(digest)} does not have its hash`;
  }
}

function readError(error: unknown, { http }: ShardSource, cid: string): unknown {
  if (!(error instanceof ShardctlError) || (error.code !== 'DAMAGE' && !saysBroken(error))) return error;
  return new ShardctlError('DAMAGE', `shard ${cid} is damaged on ${http.who} (${http.address}): ${error.message}`, { cause: error });
}

/** The daemon answers, and its datastore says that the block which was asked for is broken. */
function saysBroken(error: unknown): error is HttpError {
  return error instanceof HttpError && error.status === 500 && !isOfTheDaemon(error);
}
