/** Finds the code of a command by its words. Only that of the command that runs is loaded: a cron job with nothing to do is little more than its start. */
import type { Command } from './command-line/context.ts';

const LOADERS: Readonly<Record<string, () => Promise<{ run: Command }>>> = {
  add: () => import('./commands/add.ts'),
  update: () => import('./commands/update.ts'),
  watch: () => import('./commands/watch.ts'),
  diff: () => import('./commands/diff.ts'),
  get: () => import('./commands/get.ts'),
  cat: () => import('./commands/cat.ts'),
  ls: () => import('./commands/ls.ts'),
  find: () => import('./commands/find.ts'),
  du: () => import('./commands/du.ts'),
  mount: () => import('./commands/mount.ts'),
  serve: () => import('./commands/serve.ts'),
  fetch: () => import('./commands/fetch.ts'),
  follow: () => import('./commands/follow.ts'),
  status: () => import('./commands/status.ts'),
  snapshots: () => import('./commands/snapshots.ts'),
  stats: () => import('./commands/stats.ts'),
  accept: () => import('./commands/accept.ts'),
  verify: () => import('./commands/verify.ts'),
  repair: () => import('./commands/repair.ts'),
  check: () => import('./commands/check.ts'),
  forget: () => import('./commands/forget.ts'),
  rm: () => import('./commands/rm.ts'),
  tag: () => import('./commands/tag.ts'),
  rename: () => import('./commands/rename.ts'),
  prune: () => import('./commands/prune.ts'),
  recover: () => import('./commands/recover.ts'),
  publish: () => import('./commands/publish.ts'),
  export: () => import('./commands/export.ts'),
  'import-car': () => import('./commands/import-car.ts'),
  rebalance: () => import('./commands/rebalance.ts'),
  'config ls': () => import('./commands/config-ls.ts'),
  'config get': () => import('./commands/config-get.ts'),
  'config set': () => import('./commands/config-set.ts'),
  'config unset': () => import('./commands/config-set.ts'),
  config: () => import('./commands/config.ts'),
  bench: () => import('./commands/bench.ts'),
  completion: () => import('./commands/completion.ts'),
  'peers ls': () => import('./commands/peers-ls.ts'),
  'peers add local': () => import('./commands/peers-add-local.ts'),
  'peers add cluster': () => import('./commands/peers-add-cluster.ts'),
  'peers add kubo': () => import('./commands/peers-add-kubo.ts'),
  'peers set': () => import('./commands/peers-set.ts'),
  'peers drain': () => import('./commands/peers-drain.ts'),
  'peers rm': () => import('./commands/peers-rm.ts'),
};

/** @param words as in `spec.ts` */
export async function loadCommand(words: string): Promise<Command> {
  const load = LOADERS[words];
  if (load === undefined) throw new Error(`no code for command "${words}"`);
  return (await load()).run;
}
