/** `/NAME/PATH`, `/NAME@WHEN/PATH` and `/NAME@/`: the files of repositories by their paths, now and as they were. */
import type { FastifyInstance } from 'fastify';
import type { Access } from '../access/access.ts';
import type { FileHashes } from '../hashes/file-hashes.ts';
import type { Mirror, ServedRepository } from '../mirror.ts';
import { type Address, addressOf, BadAddress, RESERVED_NAMES } from './address.ts';
import type { HotAnswers } from './hot-answers.ts';
import { ListingBudget } from './listing.ts';
import { type PathAnswer, PathGateway, plain, SNAPSHOT_HEADER } from './path-gateway.ts';
import { sendAnswer, sendPlain } from './sending.ts';

export interface PathRoutesOptions {
  readonly mirror: Mirror;
  readonly access: Access;
  readonly hashes: FileHashes;
  /** Gets what may be answered again without a route. */
  readonly hot?: HotAnswers | undefined;
  /** Called when an answer was cut, because a block could not be had. */
  readonly onCut: (url: string, error: unknown) => void;
}

export function pathRoutes(app: FastifyInstance, { mirror, access, hashes, hot, onCut }: PathRoutesOptions): void {
  const gateway = new PathGateway({ isPrivate: (name) => access.isPrivate(name) });
  const budget = new ListingBudget();
  app.route({
    method: ['GET', 'HEAD'],
    url: '/*',
    handler: async (request, reply) => {
      const address = understood(request.originalUrl);
      if (typeof address === 'string') return sendPlain(reply, plain(400, address));
      const { name, when } = address;
      const view = mirror.acquire();
      const release = () => mirror.release(view);
      const url = request.originalUrl;
      let answer: PathAnswer;
      let repository: ServedRepository | undefined;
      try {
        const isReserved = when === undefined && RESERVED_NAMES.has(name);
        repository = isReserved ? undefined : view.repositories.get(name);
        // Whether there is such a repository is told to those only who may read all of them.
        const isRefused = !isReserved && (repository === undefined || !access.mayRead(request, name));
        const refusal = isRefused ? access.refusal(request) : undefined;
        if (refusal?.code === 401) answer = plain(401, 'this needs a token', refusal.headers);
        else answer = await gateway.answer({ method: request.method, headers: request.headers, address }, repository, view);
      } catch (error) {
        release();
        throw error;
      }
      const head = when === undefined && address.query === '' ? repository?.head : undefined;
      return await sendAnswer(reply, answer, {
        view,
        release,
        budget,
        hashes,
        onCut: (error) => onCut(url, error),
        onSmall: ({ headers }, { file }, body) => {
          // Not what depends on other headers of the request, or on the snapshot before the head.
          if (head === undefined || 'vary' in headers || SNAPSHOT_HEADER in headers) return;
          hot?.keep({ url, name, head, headers, file, body });
        },
      });
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
