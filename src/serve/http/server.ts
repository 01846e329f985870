/** The HTTP server: Fastify, and the routes of the rooms beside this one. */
import { type FastifyInstance, fastify } from 'fastify';
import type { Mirror } from '../mirror.ts';
import { pathRoutes } from '../paths/path-routes.ts';

export interface ServerOptions {
  readonly mirror: Mirror;
}

export function serverOf({ mirror }: ServerOptions): FastifyInstance {
  const app = fastify({ logger: false, exposeHeadRoutes: false });
  pathRoutes(app, mirror);
  return app;
}
