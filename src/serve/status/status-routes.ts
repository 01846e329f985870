/** `/`, `/events`, `/metrics`, `/healthz`, `/readyz`: for whoever runs the server, and for what watches it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RunningRun } from '../../home/runs/running.ts';
import { type Access, CHALLENGE } from '../access/access.ts';
import type { Mirror } from '../mirror.ts';
import { EventClients } from './event-clients.ts';
import { formatFor, plain, processFamilies, textOf, together } from './exposition.ts';
import { HomeStates } from './home-state.ts';
import { PAGE_POLICY } from './page.ts';
import { requestFamilies } from './request-metrics.ts';
import type { ServeMetrics } from './serve-metrics.ts';
import type { Siblings } from './siblings.ts';
import type { StatusSource } from './status-source.ts';
import { StatusView } from './status-view.ts';

export interface StatusRoutesOptions {
  readonly mirror: Mirror;
  readonly access: Access;
  readonly metrics: ServeMetrics;
  readonly source: StatusSource;
  /** Absent where one process serves alone. */
  readonly siblings?: Siblings | undefined;
  readonly signal: AbortSignal;
  readonly onTrouble?: (message: string, cause: string) => void;
}

export function statusRoutes(
  app: FastifyInstance,
  { mirror, access, metrics, source, siblings, signal, onTrouble }: StatusRoutesOptions,
): void {
  const states = new HomeStates(mirror, source, signal, onTrouble);
  const view = new StatusView({ states, access, source });
  let before = '';
  const clients = new EventClients<readonly RunningRun[]>({
    runs: () => {
      const runs = source.running();
      const now = runs.map(({ pid }) => pid).join(' ');
      // A run that has failed has changed nothing in the index, but its record is there.
      if (now !== before) states.refresh();
      before = now;
      return runs;
    },
    version: () => states.state.version,
    now: source.now,
    signal,
  });
  const families = async () => [...plain(requestFamilies(metrics)), ...(await processFamilies())];
  siblings?.answerWith(families);
  const onlyFor = (): Readonly<Record<string, string>> => (access.isRestricted ? { vary: 'authorization' } : {});
  const route = (url: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown) =>
    app.route({ method: ['GET', 'HEAD'], url, handler: async (request, reply) => await handler(request, reply) });

  route('/healthz', (_, reply) => reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send('ok\n'));

  route('/readyz', (_, reply) => {
    const why = signal.aborted ? 'stopping' : notReady(states.state.isReadable);
    reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store');
    return why === undefined ? reply.send('ready\n') : reply.code(503).send(`${why}\n`);
  });

  route('/metrics', async (request, reply) => {
    const all = await together([await families(), ...((await siblings?.others()) ?? [])]);
    const format = formatFor(request.headers.accept);
    reply.header('content-type', format).header('cache-control', 'no-store').headers(onlyFor());
    const ofHome = await view.metrics(request, format);
    return reply.send(`${ofHome.replace(/# EOF\n$/, '')}${await textOf(all, format)}`);
  });

  route('/events', (request, reply) => {
    if (clients.isFull) return reply.code(503).header('retry-after', '30').send('too many pages are open\n');
    reply.hijack();
    if (request.method === 'HEAD') reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).end();
    // A connection that is kept after the last event would hold up a server that stops. HTTP/2 has no such header.
    else
      clients.add(reply.raw, { ...onlyFor(), ...(request.raw.httpVersionMajor === 1 ? { connection: 'close' } : {}) }, (runs) =>
        view.running(request, runs),
      );
    return reply;
  });

  route('/', (request, reply) => {
    const query = request.query as Readonly<Record<string, unknown>>;
    if (query['sign-in'] !== undefined && access.isRestricted) {
      if (request.headers.authorization !== undefined) return reply.redirect('/', 303);
      return reply.code(401).headers(CHALLENGE).send('this needs a token\n');
    }
    const only = typeof query.repository === 'string' ? query.repository : undefined;
    const page = view.page(request, originOf(request), only);
    if (page === undefined) return reply.redirect('/', 303);
    const isSmall = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    return reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        vary: access.isRestricted ? 'accept-encoding, authorization' : 'accept-encoding',
        ...(isSmall ? { 'content-encoding': 'gzip' } : {}),
      })
      .send(isSmall ? page.gzip : page.html);
  });

  route('/favicon.ico', (_, reply) =>
    reply.headers({ 'content-type': 'image/svg+xml', 'cache-control': 'public, max-age=604800' }).send(ICON),
  );
  route('/robots.txt', (_, reply) =>
    reply
      .headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'public, max-age=604800' })
      .send('User-agent: *\nDisallow: /\n'),
  );
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2f6fde"/><path d="M7 10l9-4 9 4-9 4zM7 16l9 4 9-4M7 22l9 4 9-4" fill="none" stroke="#fff" stroke-width="2.4" stroke-linejoin="round" stroke-linecap="round"/></svg>';

function notReady(isReadable: boolean | undefined): string | undefined {
  if (isReadable === undefined) return 'not known yet';
  return isReadable ? undefined : 'blocks cannot be read';
}

/** The address of this server as the client has it; a header that is none is not repeated. */
function originOf({ protocol, host }: FastifyRequest): string {
  return `${protocol}://${/^[\w.-]+(:\d+)?$|^\[[\da-fA-F:.]+\](:\d+)?$/.test(host) ? host : 'HOST:PORT'}`;
}
