/** The HTTP server: Fastify, and the routes of the rooms beside this one. */
import { type FastifyInstance, fastify } from 'fastify';
import { displayText } from '../../core/display.ts';
import { messageOf } from '../../core/errors.ts';
import { endsWithin } from '../../core/waiting.ts';
import type { Access } from '../access/access.ts';
import { countUntilSent } from '../body/send.ts';
import type { FileHashes } from '../hashes/file-hashes.ts';
import { Hashing, type HashingOptions } from '../hashes/hashing.ts';
import { ipfsRoutes } from '../ipfs/ipfs-routes.ts';
import type { Mirror } from '../mirror.ts';
import { bySha256Routes } from '../paths/by-sha256-routes.ts';
import type { HotAnswers } from '../paths/hot-answers.ts';
import { pathRoutes } from '../paths/path-routes.ts';
import { type RoutingOptions, routingRoutes } from '../routing/routing-routes.ts';
import { routeOf, type ServeMetrics } from '../status/serve-metrics.ts';
import type { Siblings } from '../status/siblings.ts';
import { statusRoutes } from '../status/status-routes.ts';
import type { StatusSource } from '../status/status-source.ts';
import { failureOf } from './failure.ts';
import { routableUrl } from './routable-url.ts';

/** A home that takes longer to open is served as it was. */
const MOST_CATCHING_UP_MS = 1000;

export interface Serving {
  readonly mirror: Mirror;
  /** Decides what each request may see: every room of routes asks it. */
  readonly access: Access;
  readonly routing: RoutingOptions;
  readonly metrics: ServeMetrics;
  readonly status: StatusSource;
  /** The other workers; absent where one process serves alone. */
  readonly siblings?: Siblings | undefined;
  /** See `Hashing`. Absent where one process serves alone. */
  readonly hashingTurn?: HashingOptions['turn'];
  /** What is known of the sha256 of files. */
  readonly hashes: FileHashes;
  /** Answers before the routes what they have given it. */
  readonly hot?: HotAnswers;
  /** Aborted when the server is to stop: answers without an end, such as events, end then. */
  readonly signal: AbortSignal;
  /** Told of answers that failed for a reason that is not the client's. Several may have one `cause`. */
  readonly onTrouble: (message: string, cause: string) => void;
}

/** Routes are for GET and HEAD; all other methods were answered before they get here. */
export function serverOf(serving: Serving): FastifyInstance {
  const { mirror, access, routing, metrics, status, siblings, hashes, hashingTurn: turn, hot, signal, onTrouble } = serving;
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    rewriteUrl: ({ url = '/' }) => routableUrl(url),
  });
  app.setErrorHandler((error, request, reply) => {
    const { code, text, retryAfter, isTrouble } = failureOf(error);
    if (isTrouble) onTrouble(`cannot answer ${displayText(request.originalUrl)}: ${messageOf(error)}`, `answer ${code}`);
    // Whatever the route has said of a body holds no longer.
    for (const name of ['content-length', 'content-range', 'etag', 'last-modified', 'cache-control']) reply.removeHeader(name);
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    return reply.code(code).type('text/plain; charset=utf-8').send(`${text}\n`);
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain; charset=utf-8').send('there is nothing here\n'));
  app.addHook('onRequest', (_request, _reply, done) => {
    const caughtUp = mirror.catchUp?.();
    if (caughtUp === undefined) done();
    else void endsWithin(MOST_CATCHING_UP_MS, caughtUp).then(() => done(), done);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (typeof payload === 'string' || payload instanceof Uint8Array) countUntilSent(reply.raw, payload.length);
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const bytes = request.method === 'HEAD' ? 0 : Number(reply.getHeader('content-length') ?? 0);
    metrics.answered(routeOf(request.routeOptions.url), request.method, reply.statusCode, bytes, reply.elapsedTime / 1000);
    done();
  });
  const onCut = (url: string, error: unknown) => {
    metrics.incident('answer-cut');
    onTrouble(`cut ${displayText(url)} off: ${messageOf(error)}`, 'cut off');
  };
  statusRoutes(app, { mirror, access, metrics, source: status, siblings, signal, onTrouble });
  ipfsRoutes(app, { mirror, access, onCut });
  routingRoutes(app, { mirror, access, routing });
  bySha256Routes(app, { mirror, access, hashes, hashing: new Hashing({ mirror, hashes, turn, signal }), onCut });
  pathRoutes(app, { mirror, access, hashes, hot, onCut });
  return app;
}
