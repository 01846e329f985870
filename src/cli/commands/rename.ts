/** `shardctl rename OLD NEW`: another name for a repository. */
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { renameKey } from '../../exchange/publish.ts';
import { requireHome } from '../../home/home.ts';
import { readIdentity } from '../../home/identity.ts';
import { renameRecords } from '../../home/runs/records.ts';
import { rename } from '../../maintain/repository/rename.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import type { Context } from '../command-line/context.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { counted } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { type Session, writing } from '../session/session.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, quiet } = context;
  const [from, to] = [args.argument(0), args.argument(1)];
  checkRepositoryName(to, 'give a short one');
  requireHome(home);
  const options = storageOptions(context.args);
  return await writing(context, async (session) => {
    const { config, index } = session;
    const repository = repositoryNamed(index.repositories(), from);
    if (index.repository(to) !== undefined) {
      throw new ShardctlError('USAGE', from === to ? `${from} is its name already` : `there is a repository ${to} already`, {
        hint: 'choose a name that none has: `shardctl status` lists them',
      });
    }
    const isPublished = config.peers.some(({ kind }) => kind === 'kubo');
    const renamed = await rename(await maintenanceRun(context, session, options), repository, to, isPublished);
    renameRecords(home.runs, from, to);
    if (isPublished) await takeKeyAlong(context, session, renamed);
    if (!quiet || json) {
      answer(context, [{ type: 'renamed', ...renamed }], () => [
        `${from} is ${to} now: ${counted(renamed.snapshots, 'snapshot')} got a new CID, the trees are the same`,
        `root ${renamed.tree}`,
        `snapshot ${renamed.snapshot}`,
      ]);
    }
    return EXIT.done;
  });
}

/** The IPNS name stays as it is. A daemon that does not answer is asked again with the next `publish`. */
async function takeKeyAlong(
  context: Context,
  { config, index }: Session,
  { from, repository }: { readonly from: string; readonly repository: string },
): Promise<void> {
  const { kuboNames } = await import('../session/kubo-peers.ts');
  const names = await kuboNames(context, config, undefined);
  const home = readIdentity(context.home)?.id ?? '';
  const silent = await renameKey(names, home, { from, to: repository });
  for (const [, { message }] of silent) {
    const hint = `run \`shardctl publish ${shellWord(repository)}\` when it is back, if ${from} was published there`;
    context.reporter.event({ type: 'warning', message, hint });
  }
  if (silent.size > 0) return;
  const { formerNames: _, ...renamed } = repositoryNamed(index.repositories(), repository);
  await index.saveRepository(renamed);
}
