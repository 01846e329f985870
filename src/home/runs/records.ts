/**
 * `runs/`: what the last runs came to, for `serve` and its page. A run that has found nothing to do leaves no record, as it writes nothing
 * at all. Nobody needs these files: they may be deleted at any time, and a run that cannot write them does not fail for that.
 *
 *   update/NAME.json   the runs of `add` and `update` that have changed the repository, oldest first
 *   failed/NAME.json   the last run, where it has failed; removed by the next one that does not
 *   told/NAME.json     the head of which the hook `--on-commit` was told last
 *   COMMAND.json       the last `verify`, `repair`, `prune` or `check`
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFileSync } from '../../core/fresh-file.ts';
import { removeFileSync } from '../../core/remove-file.ts';

/** How a run ended. */
export interface RunRecord {
  /** RFC 3339. */
  readonly ended: string;
  readonly seconds: number;
  readonly exitCode: number;
}

/** A run of `add` or `update`. The figures are absent where it has failed before it knew them. */
export interface UpdateRecord extends RunRecord {
  /** Number of the snapshot that it has made. */
  readonly number?: number;
  readonly changedEntries?: number;
  readonly newBytes?: number;
}

/** What `verify`, `repair`, `prune` and `check` count, by the names of `FIGURES` (`maintain/figures/gauges.ts`). */
export interface MaintenanceRecord extends RunRecord {
  readonly figures: Readonly<Record<string, number>>;
}

export const MAINTENANCE = ['verify', 'repair', 'prune', 'check'] as const;
export type MaintenanceCommand = (typeof MAINTENANCE)[number];

/** Runs of a repository that are remembered: a file of 20 KB. */
const MOST_RUNS = 200;

export function recordUpdate(dir: string, repository: string, record: UpdateRecord): void {
  const path = updatePath(dir, repository);
  write(path, [...updateRecords(dir, repository), record].slice(-MOST_RUNS));
}

export function recordFailure(dir: string, repository: string, record: UpdateRecord): void {
  write(failurePath(dir, repository), record);
}

/** After a run that did not fail. @returns at once where there is nothing to forget */
export function forgetFailure(dir: string, repository: string): void {
  drop(failurePath(dir, repository));
}

export function recordMaintenance(dir: string, command: MaintenanceCommand, record: MaintenanceRecord): void {
  write(join(dir, `${command}.json`), record);
}

/** The runs that have changed the repository, oldest first. */
export function updateRecords(dir: string, repository: string): readonly UpdateRecord[] {
  const records = read(updatePath(dir, repository));
  return Array.isArray(records) ? records.filter(isRecord) : [];
}

/** The last run of the repository, if it has failed. */
export function failureOf(dir: string, repository: string): UpdateRecord | undefined {
  const record = read(failurePath(dir, repository));
  return isRecord(record) ? record : undefined;
}

export function maintenanceRecord(dir: string, command: MaintenanceCommand): MaintenanceRecord | undefined {
  const record = read(join(dir, `${command}.json`));
  if (!isRecord(record)) return undefined;
  const { figures } = record as Partial<MaintenanceRecord>;
  return { ...record, figures: typeof figures === 'object' && figures !== null ? figures : {} };
}

/** A head of a repository, as a hook was told of it. */
export interface ToldHead {
  readonly number: number;
  /** CID. */
  readonly tree: string;
}

export function toldHead(dir: string, repository: string): ToldHead | undefined {
  const told = (read(toldPath(dir, repository)) ?? {}) as Partial<ToldHead>;
  return typeof told.tree === 'string' && typeof told.number === 'number' ? { tree: told.tree, number: told.number } : undefined;
}

export function noteTold(dir: string, repository: string, head: ToldHead): void {
  write(toldPath(dir, repository), head);
}

/** Gives the records of a repository to its new name. */
export function renameRecords(dir: string, from: string, to: string): void {
  for (const pathOf of [updatePath, failurePath, toldPath]) {
    drop(pathOf(dir, to));
    try {
      renameSync(pathOf(dir, from), pathOf(dir, to));
    } catch {
      // There are none.
    }
  }
}

export function dropRecords(dir: string, repository: string): void {
  for (const pathOf of [updatePath, failurePath, toldPath]) drop(pathOf(dir, repository));
}

function updatePath(dir: string, repository: string): string {
  return join(dir, 'update', `${encodeURIComponent(repository)}.json`);
}

function failurePath(dir: string, repository: string): string {
  return join(dir, 'failed', `${encodeURIComponent(repository)}.json`);
}

function toldPath(dir: string, repository: string): string {
  return join(dir, 'told', `${encodeURIComponent(repository)}.json`);
}

function write(path: string, value: unknown): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    replaceFileSync(path, `${JSON.stringify(value)}\n`, false);
  } catch {
    // A home that cannot be written has no such record of this run.
  }
}

function drop(path: string): void {
  try {
    removeFileSync(path);
  } catch {
    // A home that cannot be written has no such record of this run.
  }
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isRecord(record: unknown): record is UpdateRecord {
  const { ended, seconds, exitCode } = (record ?? {}) as Partial<RunRecord>;
  return typeof ended === 'string' && !Number.isNaN(Date.parse(ended)) && typeof seconds === 'number' && typeof exitCode === 'number';
}
