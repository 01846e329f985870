/** `shardctl peers set PEER`: another address, tags, or another share for a peer that is there. */
import { resolve } from 'node:path';
import { EXIT, ShardctlError } from '../../errors.ts';
import type { LocalPeerConfig, PeerConfig } from '../../home/config.ts';
import { requireHome } from '../../home/home.ts';
import { sizeOf, weightOf } from '../add-options.ts';
import { type Args, usage } from '../args.ts';
import type { Context } from '../context.ts';
import type { OptionName } from '../options.ts';
import { savePeer, settingsNamed } from '../peer-settings.ts';
import { openPeer, type Session, writing } from '../wire.ts';

const CHANGES: readonly OptionName[] = ['path', 'url', 'tag', 'capacity', 'reserve', 'weight'];

export async function run(context: Context): Promise<number> {
  const { args, home, json, output, quiet } = context;
  const name = args.positionals[0] as string;
  if (args.all(...CHANGES).length === 0) throw usage('nothing to set', args.command);
  const share = shareOf(args);
  requireHome(home);
  await writing(context, async (session) => {
    const before = settingsNamed(session.config, name);
    const changed = { ...(await moved(context, session, before)), ...share, tags: tagsAfter(before.tags, args) };
    savePeer(home, session.config, changed);
  });
  if (!quiet && !json) output.line(`peer ${name} is changed`);
  return EXIT.done;
}

/** The settings with the new address, if there is one, where the same peer must be found. */
async function moved(context: Context, session: Session, before: PeerConfig): Promise<PeerConfig> {
  const { args, cwd } = context;
  const [path, url] = [args.text('path'), args.text('url')];
  if (path === undefined && url === undefined) return before;
  if (before.kind === 'local') {
    if (url !== undefined || path === undefined) throw usage(`peer "${before.name}" is a directory: say where with --path`, args.command);
    const changed = { ...before, path: resolve(cwd, path) };
    await assertSamePeer(context, session, changed);
    return changed;
  }
  if (path !== undefined || url === undefined) throw usage(`peer "${before.name}" is a daemon: say where with --url`, args.command);
  const changed = { ...before, url };
  if (changed.kind === 'kubo') await (await import('../wire-kubo.ts')).assertSameKubo(context, changed);
  else await (await import('../wire-cluster.ts')).assertSameCluster(context, changed);
  return changed;
}

/** What is `none` goes back to its default. */
function shareOf(args: Args): Partial<Pick<PeerConfig, 'capacity' | 'reserve' | 'weight'>> {
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

/** Shards are looked for where the settings say: another peer's directory would look like a loss of all of them. */
async function assertSamePeer(context: Context, { config, index }: Session, changed: LocalPeerConfig): Promise<void> {
  const peer = await openPeer(context.home, config, changed);
  const should = [...index.shards()].filter(({ peers, state }) => peers.includes(changed.name) && state !== 'sealed');
  const cids = new Set<string>();
  for await (const cid of peer.list()) cids.add(cid);
  const there = should.filter(({ cid }) => cids.has(cid)).length;
  if (should.length > 0 && there === 0) {
    throw new ShardctlError('USAGE', `${changed.path} holds none of the ${should.length} shards that peer "${changed.name}" should have`, {
      hint: 'add it as a peer of its own with `shardctl peers add`, and take the other out with `shardctl peers rm`',
    });
  }
  if (there === should.length) return;
  const message = `${changed.path} lacks ${should.length - there} of the ${should.length} shards that peer "${changed.name}" should have`;
  context.reporter.event({ type: 'warning', message, hint: 'run `shardctl repair`' });
}
