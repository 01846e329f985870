/** `shardctl export REF[/PATH] --car FILE`: a tree as one CAR, for whoever has IPFS and no shardctl, or no network. */
import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { flush, syncPath } from '../../core/durable-files.ts';
import { EXIT, outputError, ShardctlError } from '../../core/errors.ts';
import { freshBeside, sweepBeside } from '../../core/fresh-file.ts';
import { removeFile } from '../../core/remove-file.ts';
import { type Exported, exportCar } from '../../exchange/export-car.ts';
import { formatSize } from '../../home/sizes.ts';
import { refuseSpecial } from '../../restore/destination.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { forOthersToo } from '../session/privacy.ts';
import { withTree } from '../steps/open-tree.ts';
import { refuseIntoOurs } from '../steps/our-places.ts';

type Write = (bytes: Buffer) => Promise<boolean>;

export async function run(context: Context): Promise<number> {
  const { args, absolute, json, now, output, quiet, reporter, signal } = context;
  const file = args.text('car');
  if (file === undefined || file === '') throw usage('--car FILE is missing', args.command);
  const toStdout = file === '-';
  if (toStdout && json) throw usage('--json cannot be combined with a CAR on stdout', args.command);
  if (toStdout && output.isTerminal) throw usage('a CAR is not for a terminal: send it to a file or a program', args.command);
  const path = absolute(file);
  if (!toStdout) refuseSpecial(path);
  if (!toStdout && existsSync(path) && !args.flag('overwrite'))
    throw new ShardctlError('USAGE', `${file} is there already`, { hint: 'say --overwrite to replace it' });
  return await withTree(context, args.argument(0), async ({ root, path: inside, blocks, cidVersion }, config) => {
    if (!toStdout) refuseIntoOurs(context, config, path);
    const started = now();
    forOthersToo(context);
    const exporting = (write: Write) =>
      exportCar({ root, path: inside, cidVersion, blocks, write, emit: (event) => reporter.event(event), signal });
    const toPipe: Write = async (bytes) => {
      await output.bytes(bytes);
      return !output.closed;
    };
    const done = toStdout ? await exporting(toPipe) : await intoFile(path, exporting);
    const seconds = (now() - started) / 1000;
    if (!toStdout && (!quiet || json)) {
      answer(context, [{ type: 'exported', file: path, ...done, seconds }], () => [
        `${counted(done.blocks, 'block')}, ${formatSize(done.bytes)} in ${file}, ${formatSeconds(seconds)}`,
        `root ${done.root}`,
      ]);
    }
    return toStdout ? await output.exitOfBytes() : EXIT.done;
  });
}

/** It has its name only when it is complete. */
async function intoFile(path: string, exporting: (write: Write) => Promise<Exported>): Promise<Exported> {
  const fresh = freshBeside(path);
  try {
    const handle = await open(fresh, 'wx');
    sweepBeside(path, fresh);
    let done: Exported;
    try {
      done = await exporting(async (bytes) => {
        await handle.appendFile(bytes);
        return true;
      });
      await flush(handle);
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
    await syncPath(dirname(path));
    return done;
  } catch (error) {
    await removeFile(fresh).catch(() => {});
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw outputError(error, 'writing the CAR', path);
  }
}
