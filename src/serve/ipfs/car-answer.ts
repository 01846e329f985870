/** `?format=car`: a DAG as a CAR. What is a shard of this home goes out as it was sealed, with a length and with ranges; all else is made while it is sent. */
import { DAG_PB } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';
import { nodeLinks } from '../../dag/node-links.ts';
import type { Window } from '../../read/files/file-bytes.ts';
import type { ShardCar } from '../../read/stored/stored-blocks.ts';
import { madeInTurn } from '../body/send.ts';
import { SMALL_BYTES } from '../body/small-body.ts';
import { decide, noSuchBytes, partOf, type RequestConditions } from '../paths/conditions.ts';
import { contentHeaders, contentLocation, disposition, type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { carOf } from './car-bytes.ts';
import { type CarRequest, carContentType, carEtag, carRequestOf } from './car-request.ts';
import type { ContentBlocks } from './content-blocks.ts';
import { blocksFor } from './dag-walk.ts';
import { firstRange } from './first-range.ts';
import { MetBlocks, type MetMemory } from './met-blocks.ts';
import { type ResolvedPath, resolvePath } from './resolved-path.ts';

/** Gives the CAR of a shard, if the CID is the root of one. */
export type ShardCarOf = (cid: string) => Promise<ShardCar | undefined>;

export interface CarSources {
  readonly shardCarOf: ShardCarOf;
  readonly memory: MetMemory;
}

export async function carAnswer(request: GatewayRequest, { shardCarOf, memory }: CarSources): Promise<GatewayAnswer> {
  const wanted = carRequestOf(request.path.query, request.format);
  const shard = await shardIn(request, wanted, shardCarOf);
  return shard === undefined ? await walkedCar(request, wanted, memory) : shardCar(request, shard);
}

async function walkedCar(request: GatewayRequest, wanted: CarRequest, memory: MetMemory): Promise<GatewayAnswer> {
  const { path, blocks, method } = request;
  const etag = carEtag(textOfCid(path.root.bytes), path.decoded, wanted);
  const resolved = await resolvePath(path.root, path.names, blocks);
  const headers = { ...carHeaders(request, wanted), ...contentHeaders(request, resolved), etag, 'accept-ranges': 'none' };
  // The tag is weak, and If-None-Match compares weakly.
  const { status } = decide(request.headers, { etag: etag.slice(2), modified: undefined }, undefined, method);
  if (status === 304) return { status, headers: withoutContent(headers), body: undefined };
  if (status === 412) return plain(412, 'the CAR is not the one that the request is meant for');
  const pieces = () => walked(resolved, wanted, blocks, memory);
  if (method !== 'HEAD') return { status, headers, body: (await smallCar(resolved, blocks, pieces)) ?? { pieces: pieces() } };
  await blocks.read(resolved.last);
  return { status, headers, body: undefined };
}

/** The CAR in one piece, if all that it can have is small: to send it piece by piece took twice as long. Undefined also where it cannot be made. */
async function smallCar(path: ResolvedPath, blocks: ContentBlocks, pieces: () => AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  let most = await dagBytes(path.last, blocks);
  for (const { bytes } of path.way) most += bytes.length;
  if (most > SMALL_BYTES / 2) return undefined;
  return await madeInTurn(async () => {
    try {
      const whole: Buffer[] = [];
      // A stranger's node may lie about what is below it.
      for await (const piece of pieces()) if (whole.push(piece) > 1) return undefined;
      return whole[0];
    } catch {
      // Sent piece by piece, it ends where it cannot go on.
      return undefined;
    }
  });
}

/** Bytes of all that is below a block, by its own word. */
async function dagBytes(cid: AnyCid, blocks: ContentBlocks): Promise<number> {
  if (cid.codec !== DAG_PB) return await blocks.sizeOf(cid);
  const { bytes } = await blocks.node(cid);
  let sum = bytes.length;
  for (const { dagSize } of bytes.length > SMALL_BYTES / 2 ? [] : nodeLinks(bytes)) sum += dagSize;
  return sum;
}

async function* walked(path: ResolvedPath, wanted: CarRequest, blocks: ContentBlocks, memory: MetMemory): AsyncGenerator<Buffer> {
  const met = wanted.dups ? undefined : new MetBlocks(memory);
  try {
    yield* carOf(path.last, blocksFor(path, wanted, { blocks, met }));
  } finally {
    met?.forget();
  }
}

/** Only where the client wants all of it and does not insist on an order: in a shard the leaves come before the nodes. */
async function shardIn({ path, blocks }: GatewayRequest, wanted: CarRequest, shardCarOf: ShardCarOf): Promise<ShardCar | undefined> {
  const { root, names } = path;
  if (wanted.scope !== 'all' || wanted.isOrdered || names.length > 0 || root.codec !== DAG_PB || root.version !== 1) return undefined;
  return blocks.mayBeHere(root) ? await shardCarOf(textOfCid(root.bytes)) : undefined;
}

function shardCar(request: GatewayRequest, car: ShardCar): GatewayAnswer {
  const { carBytes } = car;
  const { path, method } = request;
  const etag = `"${textOfCid(path.root.bytes)}.car"`;
  const headers = {
    ...carHeaders(request, { order: 'unk', dups: false }),
    ...contentHeaders(request, { roots: [path.root] }),
    etag,
    'accept-ranges': 'bytes',
  };
  const conditions: RequestConditions = firstRange(request.headers);
  const decision = decide(conditions, { etag, modified: undefined }, carBytes, method);
  if (decision.status === 304) return { status: 304, headers: withoutContent(headers), body: undefined };
  if (decision.status === 412) return plain(412, 'the shard is not the one that the request is meant for');
  if (decision.status === 416) return plain(416, 'the CAR has no such bytes', noSuchBytes(carBytes));
  const { from, to, headers: part } = partOf(decision, carBytes);
  return {
    status: decision.status,
    headers: {
      ...headers,
      ...part,
    },
    body: method === 'HEAD' ? undefined : { from, to, windows: (at, end, areCopied) => windowsOf(car, at, end, areCopied) },
  };
}

async function* windowsOf(car: ShardCar, from: number, to: number, areCopied?: boolean): AsyncGenerator<Window, void, void> {
  for await (const piece of car.stream(from, to, areCopied)) yield [piece];
}

function carHeaders(request: GatewayRequest, wanted: Pick<CarRequest, 'order' | 'dups'>): Record<string, string> {
  const { path } = request;
  const last = path.names.at(-1);
  const name = `${textOfCid(path.root.bytes)}${last === undefined ? '' : `_${Buffer.from(last, 'latin1').toString('utf8')}`}.car`;
  const location = contentLocation(request, 'car');
  return {
    'content-type': carContentType(wanted),
    'content-disposition': disposition('attachment', path.query.get('filename') || name),
    'x-content-type-options': 'nosniff',
    ...(location === undefined ? {} : { 'content-location': location }),
  };
}

/** RFC 9110, 15.4.5: what describes a body is left out of an answer that has none because the client has it. */
function withoutContent(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'content-type': _, 'content-disposition': __, 'accept-ranges': ___, ...rest } = headers;
  return rest;
}
