/** `shardctl rm NAME…`: remove repositories, and free what only they needed. */
import { shellWord } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { keyOf } from '../../exchange/publish.ts';
import { requireHome } from '../../home/home.ts';
import { readIdentity } from '../../home/identity.ts';
import { dropRecords } from '../../home/runs/records.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import { rm } from '../../maintain/repository/rm.ts';
import type { Context } from '../command-line/context.ts';
import { repositoriesNamed } from '../command-line/repositories-named.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { prunedLines } from '../results/pruned.ts';
import { answer, type Result } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';

type Removed = Extract<Result, { type: 'removed' }>;

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, quiet, reporter } = context;
  requireHome(home);
  const options = storageOptions(context.args);
  const dryRun = args.flag('dry-run');
  let removed: Removed[] | undefined;
  const work = async (session: Session) => {
    const started = now();
    const { index, peers } = session;
    // Where the space ran out after they were removed, and this is the second attempt, they are not there any more.
    removed ??= repositoriesNamed(index.repositories(), args.positionals).map(({ name: repository }) => ({
      type: 'removed',
      dryRun,
      repository,
      snapshots: index.snapshots(repository).length,
    }));
    const names = removed.map(({ repository }) => repository);
    const pruned = await rm(await maintenanceRun(context, session, options), names, { dryRun });
    if (!dryRun) for (const name of names) dropRecords(context.home.runs, name);
    const collected = args.flag('gc') && !dryRun ? await reclaim(peers, (event) => reporter.event(event)) : [];
    const seconds = (now() - started) / 1000;
    if (!quiet || json) {
      const gone = removed;
      answer(context, [...gone, { type: 'pruned', ...pruned, collected, seconds }], () => [
        ...gone.map(removedLine),
        ...prunedLines(pruned, collected),
        ...(dryRun ? [] : [...keyLines(context, session, names), `took ${formatSeconds(seconds)}`]),
      ]);
    }
    return pruned.left > 0 ? EXIT.tooFewPeers : EXIT.done;
  };
  return dryRun ? await reading(context, work) : await freeing(context, work);
}

function removedLine({ dryRun, repository, snapshots }: Removed): string {
  return `${repository}${dryRun ? ' to be removed' : ' is removed'}, with ${counted(snapshots, 'snapshot')}`;
}

/** Keys are not removed: nothing brings one back, and people know its name. */
function keyLines({ home }: Context, { config }: Session, names: readonly string[]): string[] {
  const id = readIdentity(home)?.id;
  if (id === undefined || !config.peers.some(({ kind }) => kind === 'kubo')) return [];
  return names.map(
    (name) => `if ${name} was published, its IPNS key stays with the daemon: \`ipfs key rm ${shellWord(keyOf(id, name))}\` removes it`,
  );
}
