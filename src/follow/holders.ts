/**
 * Who holds a shard: gateways that have its root at hand, and those whom routers name (`/routing/v1`). One follower is one holder, and
 * this follower is none of them: it knows itself by a shard that nobody else has, its card.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { ShardctlError } from '../core/errors.ts';
import { DAG_PB, DIGEST_BYTES } from '../core/model.ts';
import { cidText, parseCid } from '../dag/cid.ts';
import { GatewayFailure } from '../gateway/failure.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { providersOf } from '../gateway/providers.ts';

/** Shards that are asked about at once. */
const AT_ONCE = 16;
/** Failures in a row after which a source is not asked again during a look. */
const MOST_FAILURES = 3;

export interface HolderSources {
  /** Each that has a shard is a holder. */
  readonly gateways: readonly Gateway[];
  readonly routers: readonly Gateway[];
  readonly signal: AbortSignal;
  /** Told once in a look of a source that does not answer. */
  readonly onSilent: (name: string, why: string) => void;
}

export interface Look {
  /** By CID: how many others hold it; absent where nobody answered. */
  readonly holders: ReadonlyMap<string, number>;
  /** All holders that were seen. */
  readonly crowd: number;
}

/** @param card CID of a shard that only this follower has; undefined when it has none yet @param ownIds peer IDs of this follower's own nodes */
export async function lookAt(
  cids: readonly string[],
  { card, ownIds }: { readonly card: string | undefined; readonly ownIds: ReadonlySet<string> },
  sources: HolderSources,
): Promise<Look> {
  const places = new Map(sources.gateways.map(({ name }) => [placeOfUrl(name), name]));
  const all = [...sources.gateways.map(gatewaySource), ...sources.routers.map((router) => routerSource(router, places))];
  // Each request under way listens to the signal.
  const signal = AbortSignal.any([sources.signal]);
  setMaxListeners(0, signal);
  const asked = all.map((source) => new Asked(source, { ...sources, signal }));
  await believeNoBoasters(asked);
  const self = new Set(ownIds);
  if (card !== undefined) for (const id of (await holdersOf(card, asked))?.values() ?? []) self.add(id);
  const holders = new Map<string, number>();
  const crowd = new Set<string>();
  const waiting = [...cids].reverse();
  const ask = async () => {
    for (let cid = waiting.pop(); cid !== undefined; cid = waiting.pop()) {
      sources.signal.throwIfAborted();
      const found = await holdersOf(cid, asked);
      if (found === undefined) continue;
      const others = [...found].filter((id) => !self.has(id));
      holders.set(cid, others.length);
      for (const id of others) crowd.add(id);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return { holders, crowd: crowd.size };
}

/** Whoever has what does not exist says nothing about what does: on his word the last copy of a shard could be dropped. */
async function believeNoBoasters(sources: readonly Asked[]): Promise<void> {
  const nothing = cidText({ codec: DAG_PB, digest: randomBytes(DIGEST_BYTES) }, 1);
  await Promise.all(
    sources.map(async (source) => {
      if (((await source.holdersOf(nothing))?.length ?? 0) > 0) source.silence('it says that it has what does not exist');
    }),
  );
}

/** Undefined when nobody answers. */
async function holdersOf(cid: string, sources: readonly Asked[]): Promise<ReadonlySet<string> | undefined> {
  const answers = await Promise.all(sources.map((source) => source.holdersOf(cid)));
  const known = answers.filter((answer) => answer !== undefined);
  return known.length === 0 ? undefined : new Set(known.flat());
}

interface Source {
  readonly name: string;
  holdersOf(cid: string, signal: AbortSignal): Promise<readonly string[]>;
}

function gatewaySource(gateway: Gateway): Source {
  const { name } = gateway;
  return { name, holdersOf: async (cid, signal) => ((await gateway.has(parseCid(cid), signal)) ? [name] : []) };
}

function routerSource(router: Gateway, gateways: ReadonlyMap<string, string>): Source {
  return {
    name: router.name,
    async holdersOf(cid, signal) {
      const providers = await providersOf(router, cid, signal);
      // A gateway that is asked itself is one holder, also when a router names it.
      return providers.map(({ id, addresses }) => addresses.map((it) => gateways.get(placeOf(it) ?? '')).find(isKnown) ?? id);
    },
  };
}

function isKnown(name: string | undefined): boolean {
  return name !== undefined;
}

/** Host and port of an HTTP server, from its multiaddr; undefined for any other. */
export function placeOf(multiaddr: string): string | undefined {
  const [, host, port] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)\/(?:.*\/)?https?(?:\/|$)/.exec(multiaddr) ?? [];
  return host === undefined ? undefined : `${host}:${port}`;
}

function placeOfUrl(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname.replace(/^\[|\]$/g, '')}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** A source during one look. */
class Asked {
  readonly #source: Source;
  readonly #sources: HolderSources;
  #failures = 0;

  constructor(source: Source, sources: HolderSources) {
    this.#source = source;
    this.#sources = sources;
  }

  /** Undefined when it does not answer. */
  async holdersOf(cid: string): Promise<readonly string[] | undefined> {
    if (this.#failures >= MOST_FAILURES) return undefined;
    try {
      const ids = await this.#source.holdersOf(cid, this.#sources.signal);
      this.#failures = 0;
      return ids;
    } catch (error) {
      this.#sources.signal.throwIfAborted();
      if (!(error instanceof GatewayFailure || error instanceof ShardctlError)) throw error;
      if (++this.#failures === MOST_FAILURES) this.#sources.onSilent(this.#source.name, error.message);
      return undefined;
    }
  }

  /** It is not asked any more. */
  silence(why: string): void {
    this.#failures = MOST_FAILURES;
    this.#sources.onSilent(this.#source.name, why);
  }
}
