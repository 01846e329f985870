/**
 * Where a run writes something for its operator without a question: its log, its metrics, the access log, the stores of a bench. That must
 * be no place that shardctl keeps or imports: one line would damage a shard, and be committed as a part of a mirror.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ShardctlError } from '../../core/errors.ts';
import type { Config } from '../../home/config.ts';
import { HOME_PARTS, type HomePaths } from '../../home/home.ts';
import { Index } from '../../index/index.ts';
import type { Args } from '../command-line/args.ts';
import { WRITTEN_PLACES } from '../command-line/command-spec.ts';
import type { OptionName } from '../command-line/options.ts';
import type { Absolute } from '../command-line/surroundings.ts';
import { peerPlaces, shown } from './our-places.ts';
import { isIn, pathOf } from './paths-in.ts';

type Place = readonly [what: string, path: string];

/**
 * The directory of the home may hold a log or metrics beside what shardctl keeps there.
 * @throws ShardctlError `USAGE`
 */
export async function refuseWritingIntoOurs(args: Args, home: HomePaths, absolute: Absolute): Promise<void> {
  const elsewhere = [...peersOf(home), ...(await sourcesOf(args, home, absolute))];
  for (const name of WRITTEN_PLACES) {
    const text = args.text(name) ?? usual(name, args);
    if (text === undefined || text === '-') continue;
    const path = absolute(text);
    const refuse = (why: string): never => {
      throw new ShardctlError('USAGE', `--${name} ${shown(path)}: ${why}`, { hint: `name a place elsewhere with --${name}` });
    };
    const its: Place[] = name === 'dest' ? [['the home', home.dir]] : partsOf(home);
    for (const [what, ours] of [...its, ...elsewhere]) if (isIn(ours, path)) refuse(`that is in ${what} (${shown(ours)})`);
    if (isDisk(path)) refuse('that is a disk');
  }
}

/** Where something is written without being told where. */
function usual(name: OptionName, { command }: Args): string | undefined {
  return name === 'dest' && command.options.includes('dest') ? tmpdir() : undefined;
}

function partsOf({ dir, config, configCache }: HomePaths): Place[] {
  return [config, configCache, ...HOME_PARTS.map((name) => join(dir, name))].map((path) => ['what the home keeps', path]);
}

/** Unchecked: the run itself says of settings that they cannot be read. */
function peersOf(home: HomePaths): readonly Place[] {
  try {
    return peerPlaces(home, JSON.parse(readFileSync(home.config, 'utf8')) as Config);
  } catch {
    return [];
  }
}

async function sourcesOf(args: Args, { index: dir }: HomePaths, absolute: Absolute): Promise<readonly Place[]> {
  const added: Place[] = args.command.words === 'add' ? [['the directory to add', absolute(args.argument(0))]] : [];
  if (!existsSync(dir)) return added;
  try {
    const index = await Index.open(dir, { readOnly: true });
    const known = index.repositories().filter(({ source }) => source !== '');
    await index.close();
    return [...added, ...known.map(({ name, source }) => [`the source of ${name}`, pathOf(source)] as const)];
  } catch {
    return added;
  }
}

/** What cannot be looked at cannot be written either, and who writes it says why. */
function isDisk(path: string): boolean {
  try {
    return statSync(path).isBlockDevice();
  } catch {
    return false;
  }
}
