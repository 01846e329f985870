/** `--metrics-file`: what a run came to, for the textfile collector of Prometheus' node_exporter. Written also when it failed. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, reasonOf, ShardctlError } from '../../core/errors.ts';
import type { Summary } from '../../core/events.ts';
import { leastReplicas } from '../../core/model.ts';
import { Demands } from '../../storing/demand.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { asUser } from '../session/privacy.ts';
import { reading, type Session } from '../session/session.ts';

type Gauge = readonly [name: string, help: string];

const GAUGES = {
  timestamp: ['shardctl_last_run_timestamp_seconds', 'When the last run ended.'],
  duration: ['shardctl_last_run_duration_seconds', 'How long it took.'],
  exitCode: ['shardctl_last_run_exit_code', 'How it ended: 0 is well, the others are in the README.'],
  changed: ['shardctl_last_run_changed_entries', 'Entries that were new, different or gone.'],
  newBytes: ['shardctl_last_run_new_bytes', 'Bytes of blocks that were stored.'],
  files: ['shardctl_files', 'Files in the newest snapshot.'],
  bytes: ['shardctl_bytes', 'Bytes of these files.'],
  snapshot: ['shardctl_snapshot_timestamp_seconds', 'When the newest snapshot was made.'],
  shards: ['shardctl_shards', 'Shards that it needs.'],
  underReplicated: ['shardctl_shards_under_replicated', 'Those of them on fewer peers than they should be.'],
} as const satisfies Record<string, Gauge>;

type Values = { -readonly [Name in keyof typeof GAUGES]?: number };

/** What is known of the run so far, by repository. */
export class RunLog {
  readonly values = new Map<string, Values>();
  readonly #now: () => number;
  readonly #began = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(repository: string): void {
    this.#began.set(repository, this.#now());
    this.#add(repository, {});
  }

  summary({ repository, changedEntries, newBytes }: Summary): void {
    this.#add(repository, { changed: changedEntries, newBytes });
  }

  /** Does nothing for a repository whose end is known already. */
  end(repository: string, exitCode: number): void {
    if (this.values.get(repository)?.exitCode !== undefined) return;
    const now = this.#now();
    this.#add(repository, { exitCode, timestamp: now / 1000, duration: (now - (this.#began.get(repository) ?? now)) / 1000 });
  }

  #add(repository: string, values: Values): void {
    this.values.set(repository, { ...this.values.get(repository), ...values });
  }
}

/** Runs `work`, and writes the file that `--metrics-file` asks for. @param repositories those that are meant, as far as they are known */
export async function withMetrics(
  context: Context,
  repositories: readonly string[],
  work: (log: RunLog) => Promise<number>,
): Promise<number> {
  const { args, absolute, now, reporter } = context;
  const text = args.text('metrics-file');
  const log = new RunLog(now);
  if (text === undefined || args.flag('dry-run')) return await work(log);
  const path = absolute(text);
  if (!existsSync(dirname(path))) throw usage(`--metrics-file ${text}: there is no directory ${dirname(path)}`, args.command);
  for (const repository of repositories) log.begin(repository);
  let code: number = EXIT.bug;
  try {
    code = await work(log);
    return code;
  } catch (error) {
    if (error instanceof ShardctlError) code = error.exitCode;
    throw error;
  } finally {
    for (const repository of log.values.keys()) log.end(repository, code);
    try {
      const lines = await withState(context, log.values);
      asUser(context, () => write(path, lines));
    } catch (error) {
      reporter.event({ type: 'warning', message: `no metrics in ${text}: ${reasonOf(error)}` });
    }
  }
}

/** Adds what the index knows; a home that cannot be read has nothing to add. */
async function withState(context: Context, runs: ReadonlyMap<string, Values>): Promise<Map<string, Values>> {
  const all = new Map<string, Values>();
  const state = async (session: Session) => {
    for (const [name, values] of runs) all.set(name, { ...values, ...stateOf(session, name) });
  };
  try {
    await reading(context, state);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    for (const [name, values] of runs) all.set(name, values);
  }
  return all;
}

function stateOf({ config, index, peers }: Session, name: string): Values {
  const repository = index.repository(name);
  const snapshot = repository === undefined ? undefined : index.snapshot(name, repository.head);
  if (snapshot === undefined) return {};
  // By what this repository asks for. What others ask for the same shards is in the tables, which nothing else here opens.
  const least = leastReplicas(new Demands(index, { home: config }).of([name]).replication, peers);
  return {
    files: snapshot.counts.files,
    bytes: snapshot.bytes,
    snapshot: Date.parse(snapshot.time) / 1000,
    shards: snapshot.shards.length,
    underReplicated: snapshot.shards.filter((shard) => (index.shard(shard)?.peers.length ?? 0) < least).length,
  };
}

/** The collector must never see half a file: it reads whatever ends in `.prom`. */
function write(path: string, runs: ReadonlyMap<string, Values>): void {
  const lines = (Object.entries(GAUGES) as [keyof Values, Gauge][]).flatMap(([key, [name, help]]) => {
    const series = [...runs].flatMap(([repository, { [key]: value }]) =>
      value === undefined ? [] : [`${name}{repository="${label(repository)}"} ${value}`],
    );
    return series.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...series];
  });
  try {
    writeFileSync(`${path}.tmp`, `${lines.join('\n')}\n`, { mode: 0o644 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    rmSync(`${path}.tmp`, { force: true });
    throw error;
  }
}

function label(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
