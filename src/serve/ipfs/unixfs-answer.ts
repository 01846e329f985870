/** What a path leads to as people and programs want it: files with ranges, directories with their `index.html` or as a listing, symlinks as they are. */
import { DAG_PB, RAW } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { type AnyCid, inlineBytes } from '../../dag/foreign-cid.ts';
import type { DagNode } from '../../dag/node-reader.ts';
import { fileBytes, type Window } from '../../read/files/file-bytes.ts';
import { holdFiles } from '../../read/files/held-files.ts';
import type { ShardCar } from '../../read/stored/stored-blocks.ts';
import { type FileAnswer, madeInTurn } from '../body/send.ts';
import { joined, SMALL_BYTES } from '../body/small-body.ts';
import { encodePath } from '../paths/address.ts';
import { decide, noSuchBytes, partOf } from '../paths/conditions.ts';
import { contentTypeOf, isDocument, OCTETS, SANDBOX } from '../paths/content-type.ts';
import { LISTING_POLICY } from '../paths/page.ts';
import { modifiedOf } from '../paths/resource.ts';
import { contentHeaders, disposition, type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import type { ShardCarOf } from './car-answer.ts';
import { type ContentBlocks, NotHere } from './content-blocks.ts';
import { BadRequest } from './content-path.ts';
import { entriesOf } from './directory-entries.ts';
import { firstRange } from './first-range.ts';
import { listingPage, PAGE_VERSION } from './listing-page.ts';
import { type CidBlock, type ResolvedPath, resolvePath } from './resolved-path.ts';

/** A page is made anew by another version of this program, so it is not kept for ever. */
const LISTING_CACHE = 'public, max-age=604800, stale-while-revalidate=2678400';

/**
 * A node with more links than this is not kept for as long as its client reads. A link takes 400 bytes, with what it lies in: 2,000
 * clients that read a byte a second, each a file of 256 MiB, were 100 MB of heap.
 */
const MOST_LINKS = 32;

const ONLY_UNIXFS = 'only files and directories are shown: ask for ?format=raw';

/** @param shardCarOf gives the CAR of a shard, if the CID is the root of one */
export async function unixFsAnswer(request: GatewayRequest, shardCarOf: ShardCarOf): Promise<GatewayAnswer> {
  const { path, blocks } = request;
  const resolved = await resolvePath(path.root, path.names, blocks);
  const { last } = resolved;
  const tag = textOfCid(last.bytes);
  if (last.codec === RAW) return await fileAnswer(request, resolved, { cid: last, node: undefined }, tag, path.names.at(-1));
  if (last.codec !== DAG_PB) throw new BadRequest(ONLY_UNIXFS, 501);
  const found = await blocks.node(last);
  const { unixFs } = found;
  switch (unixFs?.type) {
    case undefined:
      throw new BadRequest(ONLY_UNIXFS, 501);
    case 'directory':
    case 'hamt':
      return await directoryAnswer(request, resolved, { cid: last, bytes: found.bytes });
    case 'symlink': {
      const target = unixFs.data ?? new Uint8Array(0);
      const content = { etag: `"${tag}"`, type: 'inode/symlink', modified: undefined, size: target.length };
      return sent(request, resolved, { ...content, windows: (from, to) => once(target.subarray(from, to)) });
    }
    default: {
      const node = found.file;
      const shard = path.names.length === 0 ? await shardWith(last, node, shardCarOf) : undefined;
      return await fileAnswer(request, resolved, { cid: last, node, shard }, tag, path.names.at(-1));
    }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Window, void, void> {
  if (bytes.length > 0) yield [bytes];
}

async function directoryAnswer(request: GatewayRequest, resolved: ResolvedPath, directory: CidBlock): Promise<GatewayAnswer> {
  const { path, blocks, method } = request;
  if (!path.endsInSlash && path.query.get('go-get') !== '1') {
    const query = path.query.size === 0 ? '' : `?${path.query}`;
    const location = `${encodePath(path.decoded)}/${query}`;
    return plain(301, location, { ...contentHeaders(request, resolved), location });
  }
  const cid = textOfCid(directory.cid.bytes);
  const index = await indexOf(request, directory);
  if (index !== undefined) return await fileAnswer(request, resolved, index, cid, 'index.html');
  const etag = `"DirIndex-${PAGE_VERSION}_CID-${cid}"`;
  const headers = { ...contentHeaders(request, resolved), etag, 'cache-control': LISTING_CACHE };
  // The page is 304 to whoever has the directory under its own tag, too, as in stock gateways.
  const { status } = decide(request.headers, { etag, modified: undefined }, undefined, method);
  if (status === 304) return { status, headers, body: undefined };
  if (status === 412) return plain(412, 'the listing is not the one that the request is meant for');
  const page = { cid: directory.cid, rootText: path.rootText, names: path.names };
  return {
    status: 200,
    headers: { ...headers, 'content-type': 'text/html', 'x-content-type-options': 'nosniff', 'content-security-policy': LISTING_POLICY },
    body: method === 'HEAD' ? undefined : { pieces: listingPage(page, entriesOf(directory, blocks)) },
  };
}

async function indexOf({ blocks }: GatewayRequest, directory: CidBlock): Promise<FoundFile | undefined> {
  try {
    const { last } = await resolvePath(directory.cid, ['index.html'], blocks);
    if (last.codec === RAW) return { cid: last, node: undefined };
    const node = (await blocks.node(last)).file;
    if (node.type === 'file') return { cid: last, node };
    throw new BadRequest('index.html is no file', 422);
  } catch (error) {
    if (error instanceof NotHere) return undefined;
    throw error;
  }
}

interface FoundFile {
  readonly cid: AnyCid;
  /** Undefined when the file is one raw leaf, which was not read. */
  readonly node: DagNode | undefined;
  /** The file is that of a shard, which may have 65,536 leaves of a hundred bytes. */
  readonly shard?: ShardCar | undefined;
}

/** The root of a file may be that of a shard only where all that it links comes with a size. */
async function shardWith(cid: AnyCid, node: DagNode, shardCarOf: ShardCarOf): Promise<ShardCar | undefined> {
  const { bytes, version, codec } = cid;
  if (inlineBytes(cid) !== undefined) return undefined;
  const isRoot = codec === DAG_PB && version === 1 && node.mode === undefined && node.mtimeNs === undefined && node.links.length > 0;
  return isRoot ? await shardCarOf(textOfCid(bytes)) : undefined;
}

async function fileAnswer(
  request: GatewayRequest,
  resolved: ResolvedPath,
  file: FoundFile,
  tag: string,
  name: string | undefined,
): Promise<GatewayAnswer> {
  const { path, blocks, method, headers } = request;
  const { cid, node } = file;
  const size = node?.fileBytes ?? (await blocks.sizeOf(cid));
  const mtimeNs = node?.mtimeNs;
  const named = contentTypeOf(path.query.get('filename') || name || '');
  const windows = windowsOf(file, blocks);
  // Of several leaves a range needs some only, and who has a tag most likely has the file.
  const isReadNow = size <= SMALL_BYTES && (node?.links.length ?? 0) <= 1 && method === 'GET' && headers['if-none-match'] === undefined;
  const bytes = isReadNow ? await madeInTurn(() => joined(windows(0, size, true), size)) : undefined;
  return sent(request, resolved, {
    etag: `"${tag}"`,
    type: named !== OCTETS ? named : await typeOf(request, file, { size, windows, bytes }),
    // As Kubo does: a time of 0 is none.
    modified: mtimeNs === 0n ? undefined : modifiedOf(mtimeNs, Date.now() / 1000),
    size,
    windows,
    hold: holdOf(file, blocks),
    bytes,
  });
}

/** The node is not handed over: of a large file it is not kept while its client reads. */
function holdOf({ cid, node, shard }: FoundFile, blocks: ContentBlocks): FileAnswer['hold'] {
  if (shard !== undefined) return () => shard.hold();
  if (inlineBytes(cid) !== undefined) return undefined;
  const { digest } = cid;
  const codec = node === undefined ? RAW : DAG_PB;
  return (from, to) => holdFiles({ codec, digest }, from, to, blocks.ofFiles);
}

function windowsOf({ cid, node, shard }: FoundFile, blocks: ContentBlocks): FileAnswer['windows'] {
  if (shard !== undefined) return (from, to, areCopied) => piecesOf(shard, from, to, areCopied);
  const inline = inlineBytes(cid);
  if (node === undefined && inline !== undefined) return (from, to) => once(inline.subarray(from, to));
  if (node !== undefined && inline === undefined && node.links.length > MOST_LINKS) return rereadWindows(cid, blocks);
  const codec = node === undefined ? RAW : DAG_PB;
  return (from, to, areCopied) => fileBytes({ codec, digest: cid.digest, node }, from, to, blocks.ofFiles, areCopied);
}

async function* piecesOf(shard: ShardCar, from: number, to: number, areCopied?: boolean): AsyncGenerator<Window, void, void> {
  for await (const piece of shard.file(from, to, areCopied)) yield [piece];
}

/** Of a large file the node is read again whenever its body goes on, so that only those who are being sent something hold it. */
function rereadWindows(cid: AnyCid, blocks: ContentBlocks): FileAnswer['windows'] {
  return async function* (from, to, areCopied) {
    const node = (await blocks.node(cid)).file;
    yield* fileBytes({ codec: DAG_PB, digest: cid.digest, node }, from, to, blocks.ofFiles, areCopied);
  };
}

interface Content {
  readonly etag: string;
  readonly type: string;
  /** Seconds since 1970. */
  readonly modified: number | undefined;
  readonly size: number;
  readonly windows: FileAnswer['windows'];
  readonly hold?: FileAnswer['hold'];
  /** All of them, where they were read already. */
  readonly bytes?: Uint8Array | undefined;
}

function sent(
  request: GatewayRequest,
  resolved: ResolvedPath,
  { etag, type, modified, size, windows, hold, bytes }: Content,
): GatewayAnswer {
  const { path, method } = request;
  const headers: Record<string, string> = {
    ...contentHeaders(request, resolved),
    etag,
    ...(modified === undefined ? {} : { 'last-modified': new Date(modified * 1000).toUTCString() }),
  };
  const decision = decide(firstRange(request.headers), { etag, modified }, size, method);
  if (decision.status === 304) return { status: 304, headers, body: undefined };
  if (decision.status === 412) return plain(412, 'the file is not the one that the request is meant for');
  if (decision.status === 416) return plain(416, 'the file has no such bytes', noSuchBytes(size));
  const { from, to, headers: part } = partOf(decision, size);
  const filename = path.query.get('filename');
  const kind = path.query.get('download') === 'true' ? 'attachment' : 'inline';
  return {
    status: decision.status,
    headers: {
      ...headers,
      'content-type': type,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      ...part,
      ...(isDocument(type) ? { 'content-security-policy': SANDBOX } : {}),
      ...(filename ? { 'content-disposition': disposition(kind, filename) } : {}),
    },
    body: method === 'HEAD' ? undefined : (bytes?.subarray(from, to) ?? { from, to, windows, hold }),
  };
}

/** Text or not: a file that is asked for by its CID alone has no name that says it. */
async function typeOf(
  { headers, blocks }: GatewayRequest,
  file: FoundFile,
  { size, windows, bytes }: Pick<Content, 'size' | 'windows' | 'bytes'>,
): Promise<string> {
  if (headers.range !== undefined && !/^bytes=0-/.test(headers.range)) return OCTETS;
  const most = Math.min(size, HEAD_BYTES);
  const begin = bytes?.subarray(0, most) ?? beginNow(file, blocks, most) ?? (await madeInTurn(() => firstOf(windows(0, most, true))));
  return isText(begin) ? 'text/plain; charset=utf-8' : OCTETS;
}

/** So much of a file says whether it is text. */
const HEAD_BYTES = 512;

/** The first bytes, at once; undefined unless their leaf is known to be intact, and in memory: two thousand clients may ask for one file. */
function beginNow({ cid, node }: FoundFile, { ofFiles }: ContentBlocks, length: number): Uint8Array | undefined {
  const leaf = node === undefined ? cid : node.links[0];
  if (leaf?.codec !== RAW || (node?.data?.length ?? 0) > 0 || inlineBytes(cid) !== undefined) return undefined;
  const extent = ofFiles.extentNow(leaf.digest);
  if (extent === undefined || extent.length < length) return undefined;
  const bytes = Buffer.allocUnsafe(length);
  const { file, at } = extent;
  return file.fromMemory(bytes, at) && file.isKnown(at, leaf.digest) ? bytes : undefined;
}

async function firstOf(windows: AsyncGenerator<Window, void, void>): Promise<Uint8Array> {
  for await (const [bytes] of windows) return bytes === undefined ? NO_BYTES : Uint8Array.from(bytes);
  return NO_BYTES;
}

const NO_BYTES = new Uint8Array(0);

/** UTF-8 without control characters; the last character may be cut off. */
function isText(bytes: Uint8Array): boolean {
  if (bytes.some((byte) => (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d) || byte === 0x7f))
    return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
