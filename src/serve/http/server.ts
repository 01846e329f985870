/** The HTTP server: Fastify, and the routes of the rooms beside this one. */
import { type FastifyInstance, fastify } from 'fastify';
import { ipfsRoutes } from '../ipfs/ipfs-routes.ts';
import type { Mirror } from '../mirror.ts';
import { pathRoutes } from '../paths/path-routes.ts';
import { type RoutingOptions, routingRoutes } from '../routing/routing-routes.ts';

export interface ServerOptions {
  readonly mirror: Mirror;
  readonly routing: RoutingOptions;
}

export function serverOf({ mirror, routing }: ServerOptions): FastifyInstance {
  const app = fastify({ logger: false, exposeHeadRoutes: false });
  ipfsRoutes(app, mirror);
  routingRoutes(app, mirror, routing);
  pathRoutes(app, mirror);
  return app;
}
