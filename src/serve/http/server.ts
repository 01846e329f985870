/** The HTTP server: Fastify, and the routes of the rooms beside this one. */
import { type FastifyInstance, fastify } from 'fastify';
import type { Access } from '../access/access.ts';
import { ipfsRoutes } from '../ipfs/ipfs-routes.ts';
import type { Mirror } from '../mirror.ts';
import { pathRoutes } from '../paths/path-routes.ts';
import { type RoutingOptions, routingRoutes } from '../routing/routing-routes.ts';
import { routableUrl } from './routable-url.ts';

export interface Serving {
  readonly mirror: Mirror;
  /** Decides what each request may see: every room of routes asks it. */
  readonly access: Access;
  readonly routing: RoutingOptions;
  /** Aborted when the server is to stop: answers without an end, such as events, end then. */
  readonly signal: AbortSignal;
}

/** Routes are for GET and HEAD; all other methods were answered before they get here. */
export function serverOf({ mirror, access, routing }: Serving): FastifyInstance {
  const app = fastify({ logger: false, exposeHeadRoutes: false, rewriteUrl: ({ url = '/' }) => routableUrl(url) });
  ipfsRoutes(app, { mirror, access });
  routingRoutes(app, { mirror, access, routing });
  pathRoutes(app, { mirror, access });
  return app;
}
