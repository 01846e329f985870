/** `/NAME/PATH`: the files of a repository by their paths. */
import type { FastifyInstance } from 'fastify';
import { DIRECTORY } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { cidText, parseCid } from '../../dag/cid.ts';
import { dataOf } from '../../read/tree/file-data.ts';
import { NotInTree, resolve } from '../../read/tree/tree.ts';
import type { Mirror } from '../mirror.ts';

export function pathRoutes(app: FastifyInstance, mirror: Mirror): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/*',
    handler: async (request, reply) => {
      const [, name = '', ...rest] = decodeURIComponent(request.raw.url ?? '/').split('/');
      const view = mirror.acquire();
      try {
        const repository = view.repositories.get(name);
        if (repository === undefined) return await reply.code(404).send('not found\n');
        const entry = await resolve(parseCid(repository.head.tree), toBytes(rest.join('/')), view.blocks);
        if (entry.kind === DIRECTORY) return await reply.code(404).send('a directory\n');
        const parts: Uint8Array[] = [];
        for await (const part of dataOf(entry, view.blocks)) parts.push(part);
        return await reply
          .header('etag', `"${cidText(entry, 1)}"`)
          .header('content-type', 'application/octet-stream')
          .send(Buffer.concat(parts));
      } catch (error) {
        if (error instanceof NotInTree) return await reply.code(404).send('not found\n');
        throw error;
      } finally {
        mirror.release(view);
      }
    },
  });
}
