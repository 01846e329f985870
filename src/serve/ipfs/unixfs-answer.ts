/** What a path leads to as people and programs want it: files with ranges, directories with their `index.html` or as a listing, symlinks as they are. */
import { DAG_PB, RAW } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { type AnyCid, inlineBytes } from '../../dag/foreign-cid.ts';
import { unixFsOf } from '../../dag/node-links.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import { fileBytes, type Window } from '../../read/files/file-bytes.ts';
import { type FileAnswer, madeInTurn } from '../body/send.ts';
import { encodePath } from '../paths/address.ts';
import { decide, noSuchBytes, partOf } from '../paths/conditions.ts';
import { contentTypeOf, isDocument, OCTETS, SANDBOX } from '../paths/content-type.ts';
import { LISTING_POLICY } from '../paths/page.ts';
import { contentHeaders, disposition, type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { type ContentBlocks, NotHere } from './content-blocks.ts';
import { BadRequest } from './content-path.ts';
import { entriesOf } from './directory-entries.ts';
import { firstRange } from './first-range.ts';
import { listingPage, PAGE_VERSION } from './listing-page.ts';
import { type CidBlock, type ResolvedPath, resolvePath } from './resolved-path.ts';

/** A page is made anew by another version of this program, so it is not kept for ever. */
const LISTING_CACHE = 'public, max-age=604800, stale-while-revalidate=2678400';

const ONLY_UNIXFS = 'only files and directories are shown: ask for ?format=raw';

export async function unixFsAnswer(request: GatewayRequest): Promise<GatewayAnswer> {
  const { path, blocks } = request;
  const resolved = await resolvePath(path.root, path.names, blocks);
  const { last } = resolved;
  const tag = textOfCid(last.bytes);
  if (last.codec === RAW) return await fileAnswer(request, resolved, { cid: last, node: undefined }, tag, path.names.at(-1));
  if (last.codec !== DAG_PB) throw new BadRequest(ONLY_UNIXFS, 501);
  const bytes = await blocks.read(last);
  const unixFs = unixFsOf(bytes);
  switch (unixFs?.type) {
    case undefined:
      throw new BadRequest(ONLY_UNIXFS, 501);
    case 'directory':
    case 'hamt':
      return await directoryAnswer(request, resolved, { cid: last, bytes });
    case 'symlink': {
      const target = unixFs.data ?? new Uint8Array(0);
      const content = { etag: `"${tag}"`, type: 'inode/symlink', modified: undefined, size: target.length };
      return sent(request, resolved, { ...content, windows: (from, to) => once(target.subarray(from, to)) });
    }
    default:
      return await fileAnswer(request, resolved, { cid: last, node: decodeNode(bytes) }, tag, path.names.at(-1));
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
    const node = decodeNode(await blocks.read(last));
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
}

async function fileAnswer(
  request: GatewayRequest,
  resolved: ResolvedPath,
  file: FoundFile,
  tag: string,
  name: string | undefined,
): Promise<GatewayAnswer> {
  const { path, blocks } = request;
  const { cid, node } = file;
  const size = node?.fileBytes ?? (await blocks.sizeOf(cid));
  const mtimeNs = node?.mtimeNs;
  const named = contentTypeOf(path.query.get('filename') || name || '');
  const windows = windowsOf(file, blocks);
  return sent(request, resolved, {
    etag: `"${tag}"`,
    type: named === OCTETS ? await madeInTurn(() => guessedType(request, windows, size)) : named,
    modified: mtimeNs === undefined || mtimeNs <= 0n ? undefined : Number(mtimeNs / 1_000_000_000n),
    size,
    windows,
  });
}

function windowsOf({ cid, node }: FoundFile, blocks: ContentBlocks): FileAnswer['windows'] {
  const inline = inlineBytes(cid);
  if (node === undefined && inline !== undefined) return (from, to) => once(inline.subarray(from, to));
  const codec = node === undefined ? RAW : DAG_PB;
  return (from, to) => fileBytes({ codec, digest: cid.digest, node }, from, to, blocks.ofFiles);
}

interface Content {
  readonly etag: string;
  readonly type: string;
  /** Seconds since 1970. */
  readonly modified: number | undefined;
  readonly size: number;
  readonly windows: FileAnswer['windows'];
}

function sent(request: GatewayRequest, resolved: ResolvedPath, { etag, type, modified, size, windows }: Content): GatewayAnswer {
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
    body: method === 'HEAD' ? undefined : { from, to, windows },
  };
}

/** Text or not: a file that is asked for by its CID alone has no name that says it. */
async function guessedType({ headers }: GatewayRequest, windows: FileAnswer['windows'], size: number): Promise<string> {
  if (headers.range !== undefined && !/^bytes=0-/.test(headers.range)) return OCTETS;
  for await (const [bytes] of windows(0, Math.min(size, 512)))
    return bytes === undefined || isText(bytes) ? 'text/plain; charset=utf-8' : OCTETS;
  return 'text/plain; charset=utf-8';
}

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
