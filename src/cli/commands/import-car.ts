/** `shardctl import-car FILE`: a tree that came as a CAR becomes a snapshot of this home. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import process from 'node:process';
import { EXIT, errnoOf, ioError, ShardctlError } from '../../core/errors.ts';
import { PROFILES } from '../../dag/cid-profile.ts';
import { type ImportedCar, importCar } from '../../exchange/import-car/import-car.ts';
import { formatSize } from '../../home/sizes.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { ownDemand } from '../../storing/demand.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { peersOrDefault, type Session, type SharedSession, sharing } from '../session/session.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';
import { checkHookTimeout, tellOfHead } from '../steps/tell-of-head.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute, json, now, output, quiet, version } = context;
  const file = args.argument(0);
  const name = args.text('name') ?? (file === '-' ? undefined : basename(file).replace(/\.car$/i, ''));
  if (name === undefined) throw usage('a CAR from stdin needs a --name', args.command);
  const repository = checkRepositoryName(name);
  const options = storageOptions(args);
  const path = absolute(file);
  await checkHookTimeout(context);
  if (file !== '-') await assertFile(path, file);
  const started = now();
  const importedBy = async (session: SharedSession, peers: Session['peers']) => {
    const { spool, inTurn } = session;
    const run = { ...(await maintenanceRun(context, { ...session, peers }, options)), spool, inTurn };
    const known = session.index.repository(repository);
    const { replication, allocateBy } = session.config;
    const lasting = ownDemand(known, storageOptions(args.typed));
    const demand = { replication, allocateBy, ...ownDemand(known, options), ownDemand: lasting };
    const car = readable(file === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 }), file);
    const profileOf = (cidVersion: 0 | 1) =>
      Object.values(PROFILES).find((profile) => profile.cidVersion === cidVersion)?.name ?? session.config.profile;
    const called = file === '-' ? 'the CAR on stdin' : file;
    const root = args.text('root');
    const chosen = root === undefined ? {} : { root };
    const done = await importCar({ ...run, ...demand, ...chosen, repository, car, name: called, profileOf, toolVersion: version });
    await tellOfHead(context, session, repository);
    return done;
  };
  const imported = await sharing(context, async (session) => {
    const peers = await peersOrDefault(context, session);
    return await session.withRepository(repository, () => importedBy(session, peers));
  });
  const seconds = (now() - started) / 1000;
  if (args.flag('root-only') && !json) output.line(imported.tree);
  if (!quiet || json) answer(context, [{ type: 'imported-car', ...imported, seconds }], () => lines(imported, seconds));
  return imported.unreadableShards === undefined ? EXIT.done : EXIT.damage;
}

async function* readable(stream: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw ioError(error, 'reading the CAR', file);
  }
}

async function assertFile(path: string, file: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) throw new ShardctlError('USAGE', `${file} is a directory`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new ShardctlError('SOURCE_MISSING', `there is no file ${file}`);
  }
}

function lines(it: ImportedCar, seconds: number): string[] {
  return [
    `${it.repository}@${it.number}: ${it.unchanged ? 'nothing has changed' : 'imported'}, ${formatSeconds(seconds)}`,
    `holds ${counted(it.files, 'file')}, ${formatSize(it.bytes)}, ${counted(it.directories, 'directory')}, ${counted(it.symlinks, 'symlink')}`,
    `new ${counted(it.newBlocks, 'block')}, ${formatSize(it.newBytes)} in ${counted(it.newShards, 'shard')}`,
    ...besides(it),
    ...(it.unreadableShards === undefined
      ? []
      : [`found ${counted(it.unreadableShards, 'shard')} with no whole copy: run \`shardctl repair\``]),
    `root ${it.tree}`,
    `snapshot ${it.snapshot}`,
  ];
}

/** What the CAR had beside its tree. */
function besides({ foreignBlocks, unneededBlocks }: ImportedCar): string[] {
  const lines: string[] = [];
  if (foreignBlocks > 0) lines.push(`passed over ${counted(foreignBlocks, 'block')} of other kinds, which the tree does not need`);
  if (unneededBlocks > 0)
    lines.push(`stored ${counted(unneededBlocks, 'block')} that the tree does not need: \`shardctl prune\` sees to them`);
  return lines;
}
