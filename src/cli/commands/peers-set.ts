/** `shardctl peers set PEER`: another address, tags, or another share for a peer that is there. */
import { displayUrl } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { PeerConfig, PlacementConfig } from '../../home/config.ts';
import { requireHome } from '../../home/home.ts';
import type { Peer } from '../../peer/peer.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { isUrl, membersIn } from '../command-line/peer-options.ts';
import { sizeOf, weightOf } from '../command-line/quantities.ts';
import { savePeer, settingsOf, withChanged } from '../session/peer-settings.ts';
import { peerPath } from '../session/peers.ts';
import { setPeerOpen } from '../session/privacy.ts';
import { type Session, writing } from '../session/session.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, output, quiet } = context;
  const name = args.argument(0);
  const changes = args.command.options.filter((option) => option !== 'lock-wait');
  if (args.all(...changes).length === 0) throw usage('nothing to set', args.command);
  if (args.flag('shared') && args.flag('no-shared')) throw usage('--shared and --no-shared do not go together', args.command);
  const share = shareOf(args);
  requireHome(home);
  await writing(context, async (session) => {
    const before = settingsOf(session.config, name);
    if (before.name !== name)
      throw new ShardctlError('USAGE', `"${name}" is set up with its IPFS Cluster`, {
        hint: `\`shardctl peers set ${before.name}\` changes all members`,
      });
    const grown = await membersAfter(before, session, context);
    const moved = addressAfter(grown, context);
    const changed = { ...openAfter(moved, context), ...share, tags: tagsAfter(before.tags, args) };
    if (moved !== grown) await withChanged(context, session.config, changed, (peers) => assertSame(context, session, peers));
    if (changed.kind === 'local' && isOpenSaid(args)) setPeerOpen(context, peerPath(home, changed), changed.shared === true);
    savePeer(home, session.config, changed);
  });
  if (!quiet && !json) output.line(`peer ${name} is changed`);
  return EXIT.done;
}

/** The settings with more members of an IPFS Cluster that count, or the same ones when none are named. */
async function membersAfter(before: PeerConfig, { config }: Session, { args, home }: Context): Promise<PeerConfig> {
  const counting = membersIn(args);
  if (counting.length === 0) return before;
  if (before.kind !== 'cluster') throw usage(`peer "${before.name}" is no IPFS Cluster: it has no members`, args.command);
  const { withCounting } = await import('../session/cluster-settings.ts');
  return await withCounting(home, config, before, counting);
}

/** The settings with the new address, or the same ones when none is given. */
function addressAfter(before: PeerConfig, { args, absolute }: Context): PeerConfig {
  const [path, url, gateway, tokenFile] = [args.text('path'), args.text('url'), args.text('gateway'), args.text('token-file')];
  if (before.kind === 'local') {
    if (url !== undefined || gateway !== undefined || tokenFile !== undefined)
      throw usage(`peer "${before.name}" is a directory: --path alone says where it is`, args.command);
    return path === undefined ? before : { ...before, path: absolute(path) };
  }
  if (path !== undefined) throw usage(`peer "${before.name}" is a daemon: --url says where it is`, args.command);
  for (const given of [url, gateway])
    if (given !== undefined && !isUrl(given)) throw usage(`"${displayUrl(given)}" is not an http or https URL`, args.command);
  if (url === undefined && gateway === undefined && tokenFile === undefined) return before;
  return {
    ...before,
    ...(url === undefined ? {} : { url }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(tokenFile === undefined ? {} : { tokenFile: absolute(tokenFile) }),
  };
}

function isOpenSaid(args: Args): boolean {
  return args.flag('shared') || args.flag('no-shared');
}

function openAfter(before: PeerConfig, { args }: Context): PeerConfig {
  if (!isOpenSaid(args)) return before;
  if (before.kind !== 'local') throw usage(`peer "${before.name}" is a daemon, which decides itself who may read there`, args.command);
  return { ...before, shared: args.flag('shared') ? true : undefined };
}

/** `none` takes an option back to its default. */
function shareOf(args: Args): Pick<PlacementConfig, 'capacity' | 'reserve' | 'weight'> {
  const given = <T>(name: 'capacity' | 'reserve' | 'weight', value: () => T | undefined) => {
    const text = args.text(name);
    return text === undefined ? {} : { [name]: text === 'none' ? undefined : value() };
  };
  return {
    ...given('capacity', () => sizeOf(args, 'capacity')),
    ...given('reserve', () => sizeOf(args, 'reserve')),
    ...given('weight', () => weightOf(args)),
  };
}

/** `KEY=VALUE` sets a tag, `KEY=` takes it away; the others stay. */
function tagsAfter(before: PeerConfig['tags'], args: Args): Record<string, string> {
  const tags = { ...before };
  for (const { value } of args.all('tag')) {
    const equals = value.indexOf('=');
    if (equals < 1) throw usage(`--tag "${value}" is not KEY=VALUE`, args.command);
    const key = value.slice(0, equals);
    if (equals === value.length - 1) delete tags[key];
    else tags[key] = value.slice(equals + 1);
  }
  return tags;
}

/** Checks by its shards that the peer at the new address is the same one: with another one, all of them would look lost. */
async function assertSame({ reporter }: Context, { index }: Session, peers: ReadonlyMap<string, Peer>): Promise<void> {
  for (const [name, peer] of peers) {
    const should = [...index.shards()].filter(({ peers: holders, state }) => holders.includes(name) && state !== 'sealed');
    const cids = new Set<string>();
    for await (const cid of peer.list()) cids.add(cid);
    const there = should.filter(({ cid }) => cids.has(cid)).length;
    if (should.length > 0 && there === 0) {
      throw new ShardctlError('USAGE', `none of the ${should.length} shards that peer "${name}" should have is there`, {
        hint: 'add it as a peer of its own with `shardctl peers add`, and take the other out with `shardctl peers rm`',
      });
    }
    if (there === should.length) continue;
    const message = `${should.length - there} of the ${should.length} shards that peer "${name}" should have are not there`;
    reporter.event({ type: 'warning', message, hint: 'run `shardctl repair`' });
  }
}
