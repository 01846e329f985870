/** What a path leads to as people and programs want it: files with ranges, directories with their `index.html` or as a listing, symlinks as they are. */
import { DAG_PB, RAW } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { unixFsOf } from '../../dag/node-links.ts';
import { encodePath } from '../paths/address.ts';
import { decide } from '../paths/conditions.ts';
import { contentTypeOf, isDocument, OCTETS, SANDBOX } from '../paths/content-type.ts';
import { begun, contentHeaders, disposition, type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { NotHere } from './content-blocks.ts';
import { BadRequest } from './content-path.ts';
import { entriesOf } from './directory-entries.ts';
import { fileBytes, filePartOf } from './file-bytes.ts';
import { firstRange } from './first-range.ts';
import { listingPage, PAGE_VERSION } from './listing-page.ts';
import { type CidBlock, type ResolvedPath, resolvePath } from './resolved-path.ts';

/** A page is made anew by another version of this program, so it is not kept for ever. */
const LISTING_CACHE = 'public, max-age=604800, stale-while-revalidate=2678400';

export async function unixFsAnswer(request: GatewayRequest): Promise<GatewayAnswer> {
  const { path, blocks } = request;
  const resolved = await resolvePath(path.root, path.names, blocks);
  const { last } = resolved;
  if (last.codec !== DAG_PB && last.codec !== RAW) throw new BadRequest(`only files and directories are shown: ask for ?format=raw`, 501);
  const entry = { cid: last, bytes: await blocks.read(last) };
  const unixFs = last.codec === DAG_PB ? unixFsOf(entry.bytes) : undefined;
  switch (unixFs?.type) {
    case 'directory':
    case 'hamt':
      return await directoryAnswer(request, resolved, entry);
    case 'symlink':
      return await sent(request, resolved, {
        etag: `"${textOfCid(last.bytes)}"`,
        type: 'inode/symlink',
        modified: undefined,
        size: unixFs.data?.length ?? 0,
        bytes: async function* (from, to) {
          yield (unixFs.data ?? new Uint8Array(0)).subarray(from, to);
        },
      });
    default:
      if (last.codec === DAG_PB && unixFs === undefined)
        throw new BadRequest(`only files and directories are shown: ask for ?format=raw`, 501);
      return await fileAnswer(request, resolved, entry, textOfCid(last.bytes), path.names.at(-1));
  }
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
    headers: { ...headers, 'content-type': 'text/html', 'x-content-type-options': 'nosniff', 'content-security-policy': PAGE_POLICY },
    body: method === 'HEAD' ? undefined : await begun(listingPage(page, entriesOf(directory, blocks))),
  };
}

const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function indexOf({ blocks }: GatewayRequest, directory: CidBlock): Promise<CidBlock | undefined> {
  try {
    const { last } = await resolvePath(directory.cid, ['index.html'], blocks);
    const index = { cid: last, bytes: await blocks.read(last) };
    if (last.codec === DAG_PB && unixFsOf(index.bytes)?.type !== 'file') throw new BadRequest('index.html is no file', 422);
    return index;
  } catch (error) {
    if (error instanceof NotHere) return undefined;
    throw error;
  }
}

async function fileAnswer(
  request: GatewayRequest,
  resolved: ResolvedPath,
  file: CidBlock,
  tag: string,
  name: string | undefined,
): Promise<GatewayAnswer> {
  const { path, blocks } = request;
  const { size } = filePartOf(file);
  const mtimeNs = file.cid.codec === DAG_PB ? unixFsOf(file.bytes)?.mtimeNs : undefined;
  const named = contentTypeOf(path.query.get('filename') || name || '');
  return await sent(request, resolved, {
    etag: `"${tag}"`,
    type: named === OCTETS ? await guessedType(request, file, size) : named,
    modified: mtimeNs === undefined || mtimeNs <= 0n ? undefined : Number(mtimeNs / 1_000_000_000n),
    size,
    bytes: (from, to) => fileBytes(file, { from, to }, blocks),
  });
}

interface Content {
  readonly etag: string;
  readonly type: string;
  /** Seconds since 1970. */
  readonly modified: number | undefined;
  readonly size: number;
  readonly bytes: (from: number, to: number) => AsyncGenerator<Uint8Array>;
}

async function sent(
  request: GatewayRequest,
  resolved: ResolvedPath,
  { etag, type, modified, size, bytes }: Content,
): Promise<GatewayAnswer> {
  const { path, method } = request;
  const headers: Record<string, string> = {
    ...contentHeaders(request, resolved),
    etag,
    ...(modified === undefined ? {} : { 'last-modified': new Date(modified * 1000).toUTCString() }),
  };
  const decision = decide(firstRange(request.headers), { etag, modified }, size, method);
  if (decision.status === 304) return { status: 304, headers, body: undefined };
  if (decision.status === 412) return plain(412, 'the file is not the one that the request is meant for');
  if (decision.status === 416) return plain(416, 'the file has no such bytes', { 'content-range': `bytes */${size}` });
  const { from, to } = decision.status === 206 ? decision.range : { from: 0, to: size };
  const filename = path.query.get('filename');
  const kind = path.query.get('download') === 'true' ? 'attachment' : 'inline';
  return {
    status: decision.status,
    headers: {
      ...headers,
      'content-type': type,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'content-length': String(to - from),
      ...(isDocument(type) ? { 'content-security-policy': SANDBOX } : {}),
      ...(filename ? { 'content-disposition': disposition(kind, filename) } : {}),
      ...(decision.status === 206 ? { 'content-range': `bytes ${from}-${to - 1}/${size}` } : {}),
    },
    body: method === 'HEAD' ? undefined : await begun(bytes(from, to)),
  };
}

/** Text or not: a file that is asked for by its CID alone has no name that says it. */
async function guessedType({ blocks, headers }: GatewayRequest, file: CidBlock, size: number): Promise<string> {
  if (headers.range !== undefined && !/^bytes=0-/.test(headers.range)) return OCTETS;
  for await (const bytes of fileBytes(file, { from: 0, to: Math.min(size, 512) }, blocks))
    return isText(bytes) ? 'text/plain; charset=utf-8' : OCTETS;
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
