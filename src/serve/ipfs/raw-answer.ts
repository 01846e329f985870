/** `?format=raw`: one block as it is. */
import { RAW } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { fileBytes } from '../../read/files/file-bytes.ts';
import type { FileToRead } from '../../read/files/file-leaves.ts';
import { holdFiles } from '../../read/files/held-files.ts';
import type { FileAnswer } from '../body/send.ts';
import { SMALL_BYTES } from '../body/small-body.ts';
import { decide, noSuchBytes, partOf } from '../paths/conditions.ts';
import { contentHeaders, contentLocation, disposition, type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { firstRange } from './first-range.ts';
import { resolvePath } from './resolved-path.ts';
import { RAW_TYPE } from './response-format.ts';

export async function rawAnswer(request: GatewayRequest): Promise<GatewayAnswer> {
  const { path, blocks, method } = request;
  const resolved = await resolvePath(path.root, path.names, blocks);
  const cid = textOfCid(resolved.last.bytes);
  const etag = `"${cid}.raw"`;
  const location = contentLocation(request, 'raw');
  const headers = {
    ...contentHeaders(request, resolved),
    etag,
    ...(location === undefined ? {} : { 'content-location': location }),
  };
  const conditions = firstRange(request.headers);
  const early = decide(conditions, { etag, modified: undefined }, undefined, method);
  if (early.status === 304) return { status: 304, headers, body: undefined };
  if (early.status === 412) return plain(412, 'the block is not the one that the request is meant for');
  const known = await blocks.sizeOf(resolved.last);
  // A large one is read when it is its turn to be sent: hundreds of them that wait for slow clients would be hundreds of megabytes.
  const block = method !== 'HEAD' && known > SMALL_BYTES ? undefined : await blocks.read(resolved.last);
  const size = block?.length ?? known;
  const decision = decide(conditions, { etag, modified: undefined }, size, method);
  if (decision.status === 416) return plain(416, 'the block has no such bytes', noSuchBytes(size));
  // Whatever the block is, its bytes are those of a file that is one raw leaf.
  const leaf: FileToRead = { codec: RAW, digest: resolved.last.digest, node: undefined };
  const windows: FileAnswer['windows'] = (at, end, areCopied) => fileBytes(leaf, at, end, blocks.ofFiles, areCopied);
  const hold: FileAnswer['hold'] = (at, end) => holdFiles(leaf, at, end, blocks.ofFiles);
  const { from, to, headers: part } = partOf(decision, size);
  return {
    status: decision.status,
    headers: {
      ...headers,
      'content-type': RAW_TYPE,
      'content-disposition': disposition('attachment', path.query.get('filename') || `${cid}.bin`),
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      ...part,
    },
    body: method === 'HEAD' ? undefined : (block?.subarray(from, to) ?? { from, to, windows, hold }),
  };
}
