/** For tests: the gateway's routes over blocks in memory. */

import { setImmediate as turn } from 'node:timers/promises';
import { type FastifyInstance, fastify } from 'fastify';
import { UnlistedBlock } from '../read/blocks/block-source.ts';
import type { ShardCar } from '../read/stored/stored-blocks.ts';
import { ipfsRoutes } from '../serve/ipfs/ipfs-routes.ts';
import type { MirrorView } from '../serve/mirror.ts';
import { countedMirror } from './counted-mirror.ts';

export interface GatewayOptions {
  /** @returns undefined when there is no such block */
  readonly block: (digest: Uint8Array) => Uint8Array | undefined;
  readonly sees?: (digest: Uint8Array) => boolean;
  readonly isRestricted?: boolean;
  readonly shardCarOf?: (cid: string) => ShardCar | undefined;
  readonly onCut?: (url: string, error: unknown) => void;
}

export interface TestGateway {
  readonly app: FastifyInstance;
  /** Views that are in use. */
  readonly held: () => number;
}

export function gatewayOver({ block, sees = () => true, isRestricted = false, shardCarOf, onCut = () => {} }: GatewayOptions): TestGateway {
  const blocks = {
    read: async (digest: Uint8Array) => {
      const bytes = block(digest);
      if (bytes === undefined) throw new UnlistedBlock(digest);
      return bytes;
    },
    sizeOf: async (digest: Uint8Array) => block(digest)?.length,
    extentOf: async () => undefined,
    extentNow: () => undefined,
    carOf: async (cid: string) => shardCarOf?.(cid),
  };
  const view = { repositories: new Map(), peers: new Map(), blocks } as unknown as MirrorView;
  const { mirror, held } = countedMirror(view);
  const app = fastify({ exposeHeadRoutes: false });
  ipfsRoutes(app, { mirror, access: { isRestricted, sees: (_asker, _view, digest) => sees(digest) }, onCut });
  return { app, held };
}

/** Waits until no request holds a view any more: a stream ends some turns after its last byte was read. */
export async function allReleased({ held }: TestGateway): Promise<void> {
  while (held() > 0) await turn();
}
