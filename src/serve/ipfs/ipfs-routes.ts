/** `/ipfs/CID/PATH`: the gateway from which IPFS nodes read blocks and CARs, and people files. `/ipns/` has no answers here. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { type GatewayAnswer, type GatewayRequest, plain } from './answer.ts';
import { carAnswer } from './car-answer.ts';
import { ContentBlocks, NotHere } from './content-blocks.ts';
import { BadRequest, contentPathOf } from './content-path.ts';
import { rawAnswer } from './raw-answer.ts';
import { CAR_TYPE, RAW_TYPE, responseFormatOf } from './response-format.ts';
import { unixFsAnswer } from './unixfs-answer.ts';

export interface IpfsOptions {
  readonly mirror: Mirror;
  readonly access: Pick<Access, 'isRestricted' | 'sees'>;
}

export function ipfsRoutes(app: FastifyInstance, { mirror, access }: IpfsOptions): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipfs/*',
    handler: async (request, reply) => {
      const view = mirror.acquire();
      let isStreaming = false;
      try {
        const { status, headers, body } = await answerTo(request, view, access);
        reply.code(status).headers(access.isRestricted ? forOneClient(headers) : headers);
        if (body === undefined || body instanceof Uint8Array) return await reply.send(body && bufferOf(body));
        isStreaming = true;
        return await reply.send(streamOf(body, () => mirror.release(view)));
      } finally {
        if (!isStreaming) mirror.release(view);
      }
    },
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/ipns/*',
    handler: (_request, reply) => send(reply, plain(501, 'names are not resolved here: ask for /ipfs/CID')),
  });
}

async function answerTo(request: FastifyRequest, view: MirrorView, access: IpfsOptions['access']): Promise<GatewayAnswer> {
  const headers = request.headers as Readonly<Record<string, string | undefined>>;
  try {
    const path = contentPathOf(request.originalUrl);
    if (headers['service-worker'] === 'script' && path.names.length === 0)
      throw new BadRequest('a service worker cannot be registered for the files of others');
    const format = responseFormatOf(path.query, headers.accept);
    const blocks = new ContentBlocks({ blocks: view.blocks, sees: (digest) => access.sees(request, view, digest) });
    return await contentOf({ method: request.method, headers, path, format, blocks }, view);
  } catch (error) {
    if (error instanceof BadRequest) return plain(error.status, error.message);
    if (!(error instanceof NotHere)) throw error;
    // RFC 9111, 5.2.1.7, and the gateway specification: whoever asks so wants no 404 that he might remember.
    return headers['cache-control'] === 'only-if-cached'
      ? plain(412, error.message)
      : plain(404, error.message, { 'cache-control': 'no-cache' });
  }
}

async function contentOf(request: GatewayRequest, view: MirrorView): Promise<GatewayAnswer> {
  switch (request.format.type) {
    case RAW_TYPE:
      return await rawAnswer(request);
    case CAR_TYPE:
      return await carAnswer(request, (cid) => view.blocks.carOf(cid));
    case undefined:
    case 'application/json':
    case 'application/cbor':
      return await unixFsAnswer(request);
    default:
      return plain(
        request.format.type.startsWith('application/vnd.ipld') ? 406 : 400,
        `there is no ${request.format.type} here: ask for ?format=raw or ?format=car`,
      );
  }
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

function send(reply: FastifyReply, { status, headers, body }: GatewayAnswer): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** @param onEnd called once, when the last byte was read or the client has left */
function streamOf(pieces: AsyncIterable<Uint8Array>, onEnd: () => void): Readable {
  const stream = Readable.from(pieces, { objectMode: false, highWaterMark: 512 * 1024 });
  stream.once('close', onEnd);
  return stream;
}
