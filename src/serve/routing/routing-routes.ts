/** Delegated routing over HTTP (`/routing/v1`): tells IPFS nodes who has a block. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DIGEST_BYTES } from '../../core/model.ts';
import { SHA2_256 } from '../../dag/cid.ts';
import { anyCidIn, peerIdOf } from '../../dag/cid-text.ts';
import type { Mirror } from '../mirror.ts';
import { httpMultiaddr } from './multiaddr.ts';

/** A record of the peer schema. */
export interface PeerRecord {
  readonly Schema: 'peer';
  readonly ID: string;
  readonly Addrs: readonly string[];
  readonly Protocols: readonly string[];
}

export interface RoutingOptions {
  /** Multiaddrs under which this server is announced; undefined: the one that the client has reached. */
  readonly announced: readonly string[] | undefined;
  /** ID of the home. */
  readonly home: string;
}

export function routingRoutes(app: FastifyInstance, mirror: Mirror, options: RoutingOptions): void {
  app.get('/routing/v1/providers/:cid', async (request, reply) => {
    const { cid: text } = request.params as { cid: string };
    const cid = anyCidIn(text);
    if (cid === undefined) return reply.code(400).type('text/plain; charset=utf-8').send('unable to parse CID\n');
    const view = mirror.acquire();
    try {
      const isOurs = cid.hash === SHA2_256 && cid.digest.length === DIGEST_BYTES && (await view.blocks.placeOf(cid.digest)) !== undefined;
      const records = isOurs ? [ownRecord(request, options)] : [];
      reply.header('vary', 'Accept').header('cache-control', isOurs ? 'private, max-age=300' : 'private, max-age=15');
      if ((request.headers.accept ?? '').includes('application/x-ndjson'))
        return reply.type('application/x-ndjson').send(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
      return reply.type('application/json').send(JSON.stringify({ Providers: records }));
    } finally {
      mirror.release(view);
    }
  });
}

function ownRecord(request: FastifyRequest, { announced, home }: RoutingOptions): PeerRecord {
  const { localAddress = '', localPort = 0 } = request.raw.socket;
  const reached = httpMultiaddr(localAddress, localPort, 'encrypted' in request.raw.socket);
  const addresses = announced ?? (reached === undefined ? [] : [reached]);
  const digest = createHash('sha256')
    .update(`shardctl serve\n${home}\n${addresses.join('\n')}`)
    .digest();
  return { Schema: 'peer', ID: peerIdOf(digest), Addrs: addresses, Protocols: ['transport-ipfs-gateway-http'] };
}
