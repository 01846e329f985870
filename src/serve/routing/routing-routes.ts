/** Delegated routing over HTTP (`/routing/v1`): tells IPFS nodes who has a block, so that they need no DHT and no peers. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DIGEST_BYTES } from '../../core/model.ts';
import { SHA2_256 } from '../../dag/cid.ts';
import { anyCidIn, peerIdIn } from '../../dag/cid-text.ts';
import type { Access } from '../access/access.ts';
import type { Mirror } from '../mirror.ts';
import { KnownContacts } from './known-contacts.ts';
import { filtered, filtersOf, type PeerRecord } from './peer-record.ts';
import { Providers, type ProvidersOptions } from './providers.ts';

export type RoutingOptions = ProvidersOptions;

/** As many as other routers give at once. */
const MOST_RECORDS = 100;

export function routingRoutes(
  app: FastifyInstance,
  { mirror, access, routing }: { readonly mirror: Mirror; readonly access: Pick<Access, 'sees'>; readonly routing: RoutingOptions },
): void {
  const providers = new Providers(routing, new KnownContacts());

  app.get('/routing/v1/providers/:cid', async (request, reply) => {
    const cid = anyCidIn((request.params as { cid: string }).cid);
    if (cid === undefined) return refuse(reply, 400, 'that is no CID');
    const form = formOf(request);
    if (form === undefined) return refuse(reply, 406, NO_FORM);
    const view = mirror.acquire();
    try {
      const isPossible = cid.hash === SHA2_256 && cid.digest.length === DIGEST_BYTES && access.sees(request, view, cid.digest);
      const place = isPossible ? await view.blocks.placeOf(cid.digest) : undefined;
      if (place === undefined) return answer(request, reply, form, 'Providers', []);
      const holders = await providers.holders(place.peers, view, request.raw);
      return answer(request, reply, form, 'Providers', [providers.itself(request.raw), ...holders]);
    } finally {
      mirror.release(view);
    }
  });

  app.get('/routing/v1/peers/:id', async (request, reply) => {
    const id = peerIdIn((request.params as { id: string }).id);
    if (id === undefined) return refuse(reply, 400, 'that is no peer ID');
    const form = formOf(request);
    if (form === undefined) return refuse(reply, 406, NO_FORM);
    const view = mirror.acquire();
    try {
      const known = [providers.itself(request.raw), ...(await providers.holders([...view.peers.keys()], view, request.raw))];
      return answer(
        request,
        reply,
        form,
        'Peers',
        known.filter(({ ID }) => ID === id),
      );
    } finally {
      mirror.release(view);
    }
  });

  // IPNS records, and the peers closest to a key, are none of this router's business.
  app.get('/routing/*', (_request, reply) => refuse(reply, 404, 'this router knows /routing/v1/providers/CID and /routing/v1/peers/ID'));
}

type Form = 'json' | 'ndjson';

const NO_FORM = 'answers are application/json or application/x-ndjson';

function formOf({ headers }: FastifyRequest): Form | undefined {
  const { accept } = headers;
  if (accept === undefined || accept === '') return 'json';
  const types = accept.split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase());
  if (types.includes('application/x-ndjson')) return 'ndjson';
  return types.some((type) => type === 'application/json' || type === 'application/*' || type === '*/*') ? 'json' : undefined;
}

/** That nobody is known is an answer, too, and no 404 (IPIP-513). Addresses depend on who asks, so shared caches keep none of it. */
function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  form: Form,
  key: 'Providers' | 'Peers',
  records: readonly PeerRecord[],
): FastifyReply {
  const query = request.originalUrl;
  const filters = filtersOf(new URLSearchParams(query.includes('?') ? query.slice(query.indexOf('?') + 1) : ''));
  const wanted = records.flatMap((record) => filtered(record, filters) ?? []).slice(0, MOST_RECORDS);
  reply.header('vary', 'Accept').header('cache-control', `private, max-age=${wanted.length === 0 ? 15 : 300}`);
  if (form === 'json') return reply.type('application/json').send(JSON.stringify({ [key]: wanted }));
  return reply.type('application/x-ndjson').send(wanted.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

function refuse(reply: FastifyReply, status: number, line: string): FastifyReply {
  return reply.code(status).type('text/plain; charset=utf-8').send(`${line}\n`);
}
