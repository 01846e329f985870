/** `shardctl follow SRC --into PEER…`: hold the shards of a repository of others that fewest hold. */
import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { freeBytesIn } from '../../core/disk-space.ts';
import { displayText, displayUrl } from '../../core/display.ts';
import { makeDirectories } from '../../core/durable-files.ts';
import { EXIT, messageOf, ShardctlError } from '../../core/errors.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { sleep } from '../../core/waiting.ts';
import { type FollowOptions, follow } from '../../follow/follow.ts';
import type { Followed } from '../../follow/followed.ts';
import { NearGateways } from '../../follow/near-gateways.ts';
import { Gateway } from '../../gateway/gateway.ts';
import { resolveSource } from '../../gateway/source.ts';
import { readSourceText } from '../../gateway/source-text.ts';
import { ownerOf } from '../../home/identity.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { parseTime } from '../../home/times.ts';
import type { Index } from '../../index/index.ts';
import { defaultTransfers } from '../../storing/place/placer.ts';
import type { MaxDelete } from '../../update/deletion-guard.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { isUrl } from '../command-line/peer-options.ts';
import { sizeOf } from '../command-line/quantities.ts';
import { maxDeleteOf } from '../command-line/run-options.ts';
import { transfersOf } from '../command-line/storage-options.ts';
import { counted } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { withPeers } from '../session/peers.ts';
import { planning, writing } from '../session/session.ts';
import { namesAt, peersToFill } from '../steps/peers-to-fill.ts';
import { withToken } from '../steps/source-token.ts';

const DEFAULT_EVERY_MS = 60 * 60 * 1000;
/** Shards on their way, as a run that died has left them. */
const SPOOLED = /^\d{8,10}\.car$/;

interface Wish {
  readonly source: string;
  readonly via: readonly string[];
  readonly routers: readonly string[];
  readonly into: readonly string[];
  readonly maxBytes: number | undefined;
  readonly maxDelete: MaxDelete | undefined;
  readonly transfers: number | undefined;
  readonly allowsOlder: boolean;
}

export async function run(context: Context): Promise<number> {
  const { args, reporter, signal } = context;
  const wish = wishOf(context);
  const everyMs = everyMsOf(context);
  if (args.flag('dry-run')) return await runOnce(context, wish, everyMs);
  for (;;) {
    try {
      const code = await runOnce(context, wish, everyMs);
      if (everyMs === undefined) return code;
    } catch (error) {
      // Whoever waits for the next look tries again then, whatever others do meanwhile; a mistake in the command line stays one.
      if (everyMs === undefined || signal.aborted || !(error instanceof ShardctlError) || error.exitCode === EXIT.usage) throw error;
      reporter.event({ type: 'warning', message: messageOf(error), ...(error.hint === undefined ? {} : { hint: error.hint }) });
    }
    try {
      await sleep(everyMs, signal);
    } catch (error) {
      // Nothing is under way: that is how it is to end.
      if (signal.aborted) return EXIT.done;
      throw error;
    }
  }
}

async function runOnce(context: Context, wish: Wish, everyMs: number | undefined): Promise<number> {
  const { args, now, quiet, json } = context;
  const dryRun = args.flag('dry-run');
  const started = now();
  const followed = dryRun ? await plan(context, wish) : await take(context, wish);
  const seconds = (now() - started) / 1000;
  if (!quiet || json) answer(context, [{ type: 'followed', dryRun, seconds, ...followed }], () => linesOf(followed, dryRun, everyMs));
  return followed.failed > 0 ? EXIT.tooFewPeers : EXIT.done;
}

async function take(context: Context, wish: Wish): Promise<Followed> {
  return await writing(
    context,
    async ({ config, index }) => {
      const { home } = context;
      if (index.repositories().length > 0) {
        throw new ShardctlError('USAGE', `the home at ${home.dir} has repositories of its own`, {
          hint: 'a follower has a home for itself: name a new directory with --home',
        });
      }
      makeDirectories(home.spool);
      for (const name of readdirSync(home.spool)) if (SPOOLED.test(name)) removeFileSync(join(home.spool, name));
      const { config: changed, names } = await peersToFill(context, config, wish.into);
      return await withPeers(context, changed, async (peers) =>
        followWith(context, wish, { index, peers, into: names, transfers: wish.transfers ?? defaultTransfers(peers), roomElsewhere: 0 }),
      );
    },
    { remaking: 'all' },
  );
}

/** Makes neither a home nor a peer. */
async function plan(context: Context, wish: Wish): Promise<Followed> {
  return await planning(context, async ({ config, index, peers }) => {
    const names: string[] = [];
    let roomElsewhere = 0;
    for (const place of wish.into) {
      const known = namesAt(context, config, place);
      if (known !== undefined) names.push(...known);
      else if (!isUrl(place)) roomElsewhere += freeBytesIn(nearestDirectory(context.absolute(place)));
      else roomElsewhere += await roomAt(context, place);
    }
    return await followWith(context, wish, { index, peers, into: names, transfers: 1, roomElsewhere });
  });
}

type Surroundings = Pick<FollowOptions, 'peers' | 'into' | 'transfers' | 'roomElsewhere'> & { readonly index: Index | undefined };

async function followWith(context: Context, wish: Wish, surroundings: Surroundings): Promise<Followed> {
  const { home, args, reporter, signal } = context;
  const emit: FollowOptions['emit'] = (event) => reporter.event(event);
  const warn = (message: string) => emit({ type: 'warning', message, cause: message });
  const source = await resolveSource(wish.source, { via: wish.via, now: context.now(), signal, onTrusted: warn });
  if (source.path !== '')
    throw usage(`"${displayUrl(displayText(wish.source))}" leads into a tree: name a snapshot or a repository`, args.command);
  const onDropped = (name: string, why: string) => warn(`gateway ${name} is asked no more: ${why}`);
  const gateways = new NearGateways(source.gateways, { signal, onDropped });
  const routers = routersOf(wish, source.gateways).map((address) => new Gateway(address));
  try {
    return await follow({
      ...surroundings,
      source: displayUrl(displayText(wish.source)),
      follower: ownerOf(home, hostname()).id,
      root: source.root,
      gateways,
      routers,
      onSilent: (name, why) => warn(`${name} does not say who holds a shard: ${why}`),
      maxBytes: wish.maxBytes,
      mostDropped: (held) => mostOf(wish.maxDelete, held),
      allowsOlder: wish.allowsOlder,
      spool: home.spool,
      stateFile: home.follow,
      isDryRun: args.flag('dry-run'),
      emit,
      signal,
    });
  } finally {
    gateways.close();
    for (const router of routers) router.close();
  }
}

/** A `serve` is a router, too. */
function routersOf({ source, routers }: Wish, gateways: readonly { readonly url: string }[]): readonly { readonly url: string }[] {
  if (routers.length > 0) return routers.map((url) => ({ url }));
  return readSourceText(source)?.kind === 'served' ? gateways.slice(0, 1) : [];
}

function mostOf(limit: MaxDelete | undefined, held: number): number {
  if (limit === undefined) return held;
  return 'entries' in limit ? limit.entries : (held * limit.percent) / 100;
}

function wishOf(context: Context): Wish {
  const { args } = context;
  const into = args.all('into').map(({ value }) => value);
  if (into.length === 0) throw usage('which peers are to be filled? name a directory or a Kubo with --into', args.command);
  for (const { name, value } of args.all('via', 'router')) {
    if (!isUrl(value)) throw usage(`--${name} "${displayText(value)}" is not an http or https URL`, args.command);
  }
  const via = args.all('via').map(({ value }) => value);
  // The token of a Kubo that is filled would let whoever publishes do with it what he likes.
  const isForSource = !into.some(isUrl);
  return {
    ...(isForSource ? withToken(context, args.argument(0), via) : { source: args.argument(0), via }),
    routers: args.all('router').map(({ value }) => value),
    into,
    maxBytes: sizeOf(args, 'max-bytes'),
    maxDelete: maxDeleteOf(args),
    transfers: transfersOf(args),
    allowsOlder: args.flag('older'),
  };
}

/** Undefined with `--once`. */
function everyMsOf({ args }: Context): number | undefined {
  const text = args.text('every');
  const ms = text === undefined ? DEFAULT_EVERY_MS : (parseTime(text) ?? 0);
  if (!(ms > 0 && ms < 2 ** 31))
    throw usage(`--every "${displayText(text ?? '')}" is not a time such as 30m or 6h, of 24d at most`, args.command);
  if (!args.flag('once')) return ms;
  if (args.isTyped('every')) throw usage('either --once or --every', args.command);
  return undefined;
}

async function roomAt(context: Context, url: string): Promise<number> {
  const { kuboAt, kuboPeer } = await import('../session/kubo-peers.ts');
  const { DEFAULT_CONFIG } = await import('../../home/config.ts');
  const settings = await kuboAt(context, DEFAULT_CONFIG, url, 'kubo');
  if (settings === undefined) return 0;
  const peer = kuboPeer(context, settings);
  return (await peer.metric().finally(() => peer.close())).freeBytes;
}

function nearestDirectory(path: string): string {
  return existsSync(path) ? path : nearestDirectory(dirname(path));
}

function linesOf(followed: Followed, dryRun: boolean, everyMs: number | undefined): string[] {
  const { repository, time, shards, held, heldBytes, limitBytes, taken, takenBytes, dropped, failed, rarest, overBytes } = followed;
  const { smallestBytes } = followed;
  const would = dryRun ? 'would be ' : '';
  return [
    `${displayText(repository)} of ${displayText(time)}: ${formatCount(held)} of ${counted(shards, 'shard')} held, ${formatSize(heldBytes)} of ${formatSize(limitBytes)}${dryRun ? ', and nothing was changed' : ''}`,
    `  ${would}taken ${counted(taken, 'shard')}, ${formatSize(takenBytes)}; ${would}dropped ${counted(dropped, 'shard')}`,
    ...(failed > 0 ? [`  could not be had: ${counted(failed, 'shard')}`] : []),
    ...(held === 0 && smallestBytes > limitBytes - heldBytes
      ? [
          `  no shard fits: the smallest has ${formatSize(smallestBytes)}; allow at least ${formatSize(smallestBytes + heldBytes)} with --max-bytes, or make room`,
        ]
      : []),
    ...(overBytes > 0 ? [`  over the limit by ${formatSize(overBytes)}: too few others hold those shards`] : []),
    rarest === null ? '  nobody could be asked who holds the shards' : `  the rarest shard has ${counted(rarest, 'holder')}`,
    ...(everyMs === undefined || dryRun ? [] : [`  looks again in ${formatCount(Math.round(everyMs / 60_000))} min`]),
  ];
}
