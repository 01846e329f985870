/** `/by-sha256/HEX`: a file by the sha256 of its bytes, from whichever repository has it. */
import type { FastifyInstance } from 'fastify';
import { type BlockId, FILE, RAW } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import type { Access, Asker } from '../access/access.ts';
import { seenBlocks } from '../access/seen-blocks.ts';
import type { FileHashes } from '../hashes/file-hashes.ts';
import type { Hashing } from '../hashes/hashing.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { ListingBudget } from './listing.ts';
import { FOR_EVER, fileAnswer, type PathAnswer, PRIVATE_FOR_EVER, plain } from './path-gateway.ts';
import { type FileResource, fileHeaders } from './resource.ts';
import { sendAnswer, sendPlain } from './sending.ts';

export interface BySha256Options {
  readonly mirror: Mirror;
  readonly access: Access;
  readonly hashes: FileHashes;
  readonly hashing: Hashing;
  /** Called when an answer was cut, because a block could not be had. */
  readonly onCut: (url: string, error: unknown) => void;
}

const EMPTY = sha256(Buffer.alloc(0));

export function bySha256Routes(app: FastifyInstance, options: BySha256Options): void {
  const { mirror, access, hashes, hashing, onCut } = options;
  const budget = new ListingBudget();
  app.route({
    method: ['GET', 'HEAD'],
    url: '/by-sha256/*',
    handler: async (request, reply) => {
      const hex = /^\/by-sha256\/([0-9a-f]{64})(?:\?.*)?$/is.exec(request.originalUrl)?.[1]?.toLowerCase();
      if (hex === undefined) return sendPlain(reply, plain(400, 'a sha256 has 64 hexadecimal digits'));
      const view = mirror.acquire();
      let answer: PathAnswer;
      try {
        const resource = await resourceOf(hex, { request, view, access, hashes });
        if (resource === undefined) hashing.start();
        const cacheControl = access.isRestricted ? PRIVATE_FOR_EVER : FOR_EVER;
        answer = resource === undefined ? unknown(hashing.isAtWork) : fileAnswer(request, resource, cacheControl, undefined);
      } catch (error) {
        mirror.release(view);
        throw error;
      }
      return await sendAnswer(reply, answer, {
        view,
        // The root may be seen as a file of another repository that has its bytes: then what is below it is not.
        seen: seenBlocks(view.blocks, (digest) => access.sees(request, view, digest)),
        release: () => mirror.release(view),
        budget,
        hashes,
        onCut: (error) => onCut(request.originalUrl, error),
      });
    },
  });
}

interface Asked {
  readonly request: Asker;
  readonly view: MirrorView;
  readonly access: Access;
  readonly hashes: FileHashes;
}

async function resourceOf(hex: string, { request, view, access, hashes }: Asked): Promise<FileResource | undefined> {
  const hash = Buffer.from(hex, 'hex');
  // Everybody knows the empty file.
  if (hash.equals(EMPTY)) return resource(hex, { codec: RAW, digest: hash }, undefined, 0);
  const { blocks } = view;
  const isThere = async (digest: Uint8Array) => access.sees(request, view, digest) && (await blocks.placeOf(digest)) !== undefined;
  if (await isThere(hash)) {
    const block = await blocks.read(hash);
    if (!isNode(block)) return resource(hex, { codec: RAW, digest: hash }, undefined, block.length);
  }
  const root = hashes.rootOf(hash);
  if (root === undefined || !(await isThere(root.digest))) return undefined;
  const node = decodeNode(await blocks.read(root.digest));
  return resource(hex, root, node, node.fileBytes);
}

/** The block table does not say which blocks are nodes of trees. Those are no files; a file with the very bytes of a node is not found, either. */
function isNode(block: Uint8Array): boolean {
  try {
    decodeNode(block);
    return true;
  } catch {
    return false;
  }
}

function resource(hex: string, { codec, digest }: BlockId, node: DagNode | undefined, size: number): FileResource {
  // Which of several roots with the same bytes it is makes no difference: the hash is the tag.
  const etag = `"${hex}"`;
  const file = { codec, digest, kind: FILE, node, path: '', way: [] } as const;
  return { kind: 'file', file, size, validators: { etag, modified: undefined }, headers: fileHeaders(etag, undefined) };
}

function unknown(isAtWork: boolean): PathAnswer {
  if (!isAtWork) return plain(404, 'no file with this sha256 is here', { 'cache-control': 'no-cache' });
  const why = 'no file with this sha256 is known yet: the large files of this mirror are being hashed since somebody has asked';
  return plain(404, why, { 'cache-control': 'no-cache', 'retry-after': '60' });
}
