/** `/ipfs/CID/PATH`: the gateway from which IPFS nodes read blocks and CARs, and people files. `/ipns/` has no answers here. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UnlistedBlock } from '../../read/blocks/block-source.ts';
import type { Access } from '../access/access.ts';
import { countUntilSent, madeInTurn, sendFile, sendStream } from '../body/send.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { type CarSources, carAnswer } from './car-answer.ts';
import { ContentBlocks, NotHere } from './content-blocks.ts';
import { BadRequest, contentPathOf } from './content-path.ts';
import { KnownNodes } from './known-nodes.ts';
import { MetMemory } from './met-blocks.ts';
import { rawAnswer } from './raw-answer.ts';
import { CAR_TYPE, RAW_TYPE, responseFormatOf } from './response-format.ts';
import { unixFsAnswer } from './unixfs-answer.ts';

export interface IpfsOptions {
  readonly mirror: Mirror;
  readonly access: Pick<Access, 'isRestricted' | 'sees'>;
  /** Called when an answer was cut, because a block could not be had. */
  readonly onCut: (url: string, error: unknown) => void;
}

export function ipfsRoutes(app: FastifyInstance, { mirror, access, onCut }: IpfsOptions): void {
  const memory = new MetMemory();
  const nodes = new KnownNodes();
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipfs/*',
    handler: async (request, reply) => {
      const view = mirror.acquire();
      const wasCut = (error: unknown) => onCut(request.originalUrl, error);
      try {
        const answer = await answerTo(request, view, { access, memory, nodes });
        const headers = access.isRestricted ? forOneClient(answer.headers) : answer.headers;
        return await send(reply, { ...answer, headers }, wasCut);
      } catch (error) {
        return await send(reply, refusalOf(request, error), wasCut);
      } finally {
        mirror.release(view);
      }
    },
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipns/*',
    handler: (_request, reply) => send(reply, plain(501, 'names are not resolved here: ask for /ipfs/CID'), () => {}),
  });
}

async function answerTo(
  request: FastifyRequest,
  view: MirrorView,
  { access, memory, nodes }: Pick<IpfsOptions, 'access'> & { readonly memory: MetMemory; readonly nodes: KnownNodes },
): Promise<GatewayAnswer> {
  const headers = request.headers as Readonly<Record<string, string | undefined>>;
  const path = contentPathOf(request.originalUrl);
  if (headers['service-worker'] === 'script' && path.names.length === 0)
    throw new BadRequest('a service worker cannot be registered for the files of others');
  const format = responseFormatOf(path.query, headers.accept);
  const blocks = new ContentBlocks({ blocks: view.blocks, sees: (digest) => access.sees(request, view, digest), nodes });
  return await contentOf(
    { method: request.method, headers, path, format, blocks },
    { shardCarOf: (cid) => view.blocks.carOf(cid), memory },
  );
}

async function contentOf(request: GatewayRequest, sources: CarSources): Promise<GatewayAnswer> {
  const { type } = request.format;
  switch (type) {
    case RAW_TYPE:
      return await madeInTurn(async () => await rawAnswer(request));
    case CAR_TYPE:
      return await carAnswer(request, sources);
    case undefined:
    case 'application/json':
    case 'application/cbor':
      return await unixFsAnswer(request, sources.shardCarOf);
    default:
      return plain(type.startsWith('application/vnd.ipld') ? 406 : 400, `there is no ${type} here: ask for ?format=raw or ?format=car`);
  }
}

/** @throws what is no fault of the request */
function refusalOf({ headers }: FastifyRequest, error: unknown): GatewayAnswer {
  if (error instanceof BadRequest) return plain(error.status, error.message);
  if (!(error instanceof NotHere || error instanceof UnlistedBlock)) throw error;
  // RFC 9111, 5.2.1.7, and the gateway specification: whoever asks so wants no 404 that he might remember.
  if (headers['cache-control'] === 'only-if-cached') return plain(412, error.message);
  return plain(404, error.message, { 'cache-control': 'no-cache' });
}

/** Where repositories are private, no cache may give to others what one client may see. */
function forOneClient(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'cache-control': cached = 'no-cache', vary } = headers;
  return {
    ...headers,
    'cache-control': cached.replace(/^public/, 'private'),
    vary: vary === undefined ? 'Authorization' : `${vary}, Authorization`,
  };
}

/** Resolves when all of it was sent, or the client has left. @throws whatever keeps a body from being begun */
async function send(reply: FastifyReply, { status, headers, body }: GatewayAnswer, onCut: (error: unknown) => void): Promise<FastifyReply> {
  if (body instanceof Uint8Array && reply.request.method === 'GET') return sendNow(reply, status, headers, body);
  if (body === undefined || body instanceof Uint8Array)
    return await reply
      .code(status)
      .headers(headers)
      .send(body && bufferOf(body));
  if ('pieces' in body) await sendStream(reply, { status, headers, pieces: body.pieces }, { onCut });
  else await sendFile(reply, { status, headers, ...body }, { onCut });
  return reply;
}

/** Without Fastify's way to send, which takes as long as to find a block and hash it. */
function sendNow(reply: FastifyReply, status: number, headers: Readonly<Record<string, string>>, body: Uint8Array): FastifyReply {
  const { raw } = reply;
  reply.hijack();
  for (const name in headers) raw.setHeader(name, headers[name] as string);
  raw.setHeader('content-length', body.length);
  raw.writeHead(status);
  countUntilSent(raw, body.length);
  raw.end(body);
  return reply;
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
