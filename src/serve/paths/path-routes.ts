/** `/NAME/PATH`, `/NAME@WHEN/PATH` and `/NAME@/`: the files of repositories by their paths, now and as they were. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { dataOf } from '../../read/tree/file-data.ts';
import { readEntry } from '../../read/tree/tree.ts';
import type { Access } from '../access/access.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { type Address, addressOf, BadAddress, RESERVED_NAMES } from './address.ts';
import { ListingBudget, rowsOf } from './listing.ts';
import { listingText } from './listing-page.ts';
import { type Body, PathGateway, plain } from './path-gateway.ts';
import { snapshotsText } from './snapshots-page.ts';

export interface PathRoutesOptions {
  readonly mirror: Mirror;
  readonly access: Access;
}

export function pathRoutes(app: FastifyInstance, { mirror, access }: PathRoutesOptions): void {
  const gateway = new PathGateway({ isPrivate: (name) => access.isPrivate(name) });
  const budget = new ListingBudget();
  app.route({
    method: ['GET', 'HEAD'],
    url: '/*',
    handler: async (request, reply) => {
      const address = understood(request.originalUrl);
      if (typeof address === 'string') return await send(reply, plain(400, address));
      const { name, when } = address;
      const view = mirror.acquire();
      let release: (() => void) | undefined = () => mirror.release(view);
      try {
        const isReserved = when === undefined && RESERVED_NAMES.has(name);
        const repository = isReserved ? undefined : view.repositories.get(name);
        if (!isReserved && (repository === undefined || !access.mayRead(request, name))) {
          // Whether there is such a repository is told to those only who may read all of them.
          const { code, headers } = access.refusal(request);
          if (code === 401) return await send(reply, plain(code, 'this needs a token', headers));
        }
        const { method, headers } = request;
        const answer = await gateway.answer({ method, headers, address }, repository, view);
        const { body } = answer;
        if (body.kind !== 'file' && body.kind !== 'listing') return await send(reply, answer);
        const source = body.kind === 'file' ? bytesOf(body, view) : await begun(body, budget);
        const stream = Readable.from(source, { objectMode: false });
        // Also when the client has left before the first piece was asked for: a generator that never began has no end.
        const done = release;
        release = undefined;
        stream.once('close', () => {
          done();
          if ('end' in source) source.end();
        });
        return await reply.code(answer.status).headers(answer.headers).send(stream);
      } finally {
        release?.();
      }
    },
  });
}

function understood(url: string): Address | string {
  try {
    return addressOf(url);
  } catch (error) {
    if (error instanceof BadAddress) return error.message;
    throw error;
  }
}

function send(
  reply: FastifyReply,
  { status, headers, body }: { status: number; headers: Readonly<Record<string, string>>; body: Body },
): FastifyReply {
  const text = body.kind === 'text' ? body.text : body.kind === 'snapshots' ? snapshotsText(body.repository, body.form) : undefined;
  return reply.code(status).headers(headers).send(text);
}

/** A listing whose first rows are there: a directory that cannot be read at all is answered with an error. */
async function begun({ listing }: Body & { kind: 'listing' }, budget: ListingBudget): Promise<AsyncIterable<string> & { end(): void }> {
  const text = listingText(listing, rowsOf(listing.tree, listing.directory, budget));
  const first = await text.next();
  return {
    async *[Symbol.asyncIterator]() {
      yield first.value ?? '';
      yield* text;
    },
    end: () => void text.return(),
  };
}

async function* bytesOf({ resource, range }: Body & { kind: 'file' }, { blocks }: MirrorView): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for await (const part of dataOf(await readEntry(resource.file, blocks), blocks)) {
    const [from, to] = [Math.max(0, range.from - at), Math.min(part.length, range.to - at)];
    at += part.length;
    if (from < to) yield part.subarray(from, to);
    if (at >= range.to) return;
  }
}
