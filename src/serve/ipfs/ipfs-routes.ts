/** `/ipfs/CID/PATH`: the gateway from which IPFS nodes read blocks and CARs, and people files. `/ipns/` has no answers here. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { textOfCid } from '../../dag/cid.ts';
import type { Mirror } from '../mirror.ts';
import { ContentBlocks, NotHere } from './content-blocks.ts';
import { BadRequest, contentPathOf, printable } from './content-path.ts';
import { RAW_TYPE, responseFormatOf } from './response-format.ts';

export const IMMUTABLE = 'public, max-age=29030400, immutable';

export function ipfsRoutes(app: FastifyInstance, mirror: Mirror): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipfs/*',
    handler: async (request, reply) => {
      const view = mirror.acquire();
      try {
        return await answer(request, reply, new ContentBlocks(view.blocks));
      } catch (error) {
        return refused(reply, error);
      } finally {
        mirror.release(view);
      }
    },
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipns/*',
    handler: (_request, reply) =>
      reply.code(501).type('text/plain; charset=utf-8').send('names are not resolved here: ask for /ipfs/CID\n'),
  });
}

async function answer(request: FastifyRequest, reply: FastifyReply, blocks: ContentBlocks): Promise<FastifyReply> {
  const path = contentPathOf(request.originalUrl);
  const format = responseFormatOf(path.query, request.headers.accept);
  reply.header('x-ipfs-path', printable(path.decoded));
  if (format.type !== RAW_TYPE || path.names.length > 0) throw new BadRequest('not here yet', 501);
  const block = await blocks.read(path.root);
  const cid = textOfCid(path.root.bytes);
  return reply
    .header('cache-control', IMMUTABLE)
    .header('etag', `"${cid}.raw"`)
    .header('content-type', RAW_TYPE)
    .header('content-disposition', `attachment; filename="${cid}.bin"`)
    .header('x-content-type-options', 'nosniff')
    .header('x-ipfs-roots', cid)
    .header('content-length', block.length)
    .send(request.method === 'HEAD' ? undefined : Buffer.from(block.buffer, block.byteOffset, block.length));
}

function refused(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof BadRequest) return reply.code(error.status).type('text/plain; charset=utf-8').send(`${error.message}\n`);
  if (error instanceof NotHere) return reply.code(404).type('text/plain; charset=utf-8').send(`${error.message}\n`);
  throw error;
}
