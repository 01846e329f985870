/** What commands answer at their end: with `--json` one record a line, else text. The shapes are part of the interface. */

import type { Disk } from '../../core/model.ts';
import type { Exported } from '../../exchange/export-car.ts';
import type { ImportedCar } from '../../exchange/import-car/import-car.ts';
import type { Published } from '../../exchange/publish.ts';
import type { FetchSummary } from '../../fetch/fetch.ts';
import type { Followed } from '../../follow/followed.ts';
import type { RunState } from '../../home/runs/running.ts';
import type { PolicyStats, RepositoryStats, SnapshotStats } from '../../maintain/figures/storage-stats.ts';
import type { Moved } from '../../maintain/move/move-run.ts';
import type { Orphans } from '../../maintain/orphans.ts';
import type { Pruned } from '../../maintain/prune/prune.ts';
import type { Recoverable, Recovered } from '../../maintain/recover/recover.ts';
import type { Repaired } from '../../maintain/repair/repair.ts';
import type { Renamed } from '../../maintain/repository/rename.ts';
import type { Replica } from '../../maintain/shard-status.ts';
import type { Report } from '../../measure/report.ts';
import type { RestoreProblems } from '../../restore/restore-report.ts';
import type { Context } from '../command-line/context.ts';

export type Result =
  /** One entry of `ls`; `path` goes on from the directory that is listed. */
  | ({ type: 'listing' } & ListedEntry)
  /** One entry of `find`; `path` begins at the root of the tree of that snapshot. */
  | ({ type: 'found'; repository: string; number: number } & ListedEntry)
  /** A line of `du`: what is below a directory, itself included; or a file or symlink alone. `bytes` is of all files, each as often as it comes. */
  | {
      type: 'usage';
      repository: string;
      number: number;
      path: string;
      bytes: number;
      files: number;
      directories: number;
      symlinks: number;
    }
  /** Of `stats`: one snapshot of a repository that was named. */
  | ({ type: 'snapshot-stats' } & SnapshotStats)
  /** Of `stats`: all snapshots of a repository, or of all those that it tells of together (null). */
  | ({ type: 'repository-stats'; repository: string | null } & RepositoryStats)
  /** Of `stats`: all shards of which as many replicas are asked, on peers that are chosen alike. */
  | ({ type: 'policy-stats'; replication: string } & Omit<PolicyStats, 'replication'>)
  /** `newest` is a snapshot newer than the head, which the gate holds back; absent where there is none. */
  | { type: 'repository'; name: string; source: string; snapshots: number; head: SnapshotResult | null; newest?: SnapshotResult }
  | ({ type: 'snapshot'; repository: string } & SnapshotResult)
  /** Of `version`. */
  | { type: 'version'; version: string }
  /** One setting: of the home, or what a repository asks for. `value` is what the option of that name takes. */
  | { type: 'setting'; repository: string | null; key: string; value: string; from: 'default' | 'home' | 'repository' }
  | {
      type: 'peer-status';
      name: string;
      kind: string;
      /** Of a local peer. */
      path?: string;
      layout?: string;
      /** Of a daemon, without credentials; `id` is its peer ID. */
      url?: string;
      id?: string;
      gateway?: string;
      tags: Readonly<Record<string, string>>;
      capacity: number | null;
      /** Bytes that stay free on it. */
      reserve: number;
      weight: number;
      /** Nothing new goes there. */
      drained: boolean;
      shards: number;
      /** Absent when the peer does not answer: then `error` says why. */
      usedBytes?: number;
      freeBytes?: number;
      /** Of a local peer: peers with the same `id` share these bytes. */
      disk?: Disk;
      error?: string;
      /** What is wrong with its own settings. */
      warnings?: readonly string[];
    }
  /** A run of this home that goes on now. `state` is absent while it is younger than a second. */
  | { type: 'running'; command: string; pid: number; host: string; since: string; state?: RunState }
  | ({ type: 'published' } & Published)
  /** `problems` counts the entries that are not there; each of the first was an event. */
  | {
      type: 'restored';
      out: string;
      files: number;
      directories: number;
      symlinks: number;
      bytes: number;
      problems: RestoreProblems;
      seconds: number;
    }
  /** `damaged` counts what was found damaged, `tooFew` the shards with fewer replicas than are asked for, `away` the peers that do not answer. */
  | { type: 'verified'; shards: number; blocks: number; bytes: number; damaged: number; tooFew: number; away: number; seconds: number }
  /** One snapshot of a repository of which some are forgotten; `reasons` says why it is kept. */
  | { type: 'retention'; repository: string; number: number; cid: string; time: string; keep: boolean; reasons: readonly string[] }
  /** What `verify --against` says of a snapshot: how many contradictions, after how many indexes, entries in them, and bytes that were hashed. */
  | {
      type: 'judged';
      repository: string;
      number: number;
      kinds: readonly string[];
      count: number;
      /** Files that indexes name and the repository's filters leave out. */
      leftOut: number;
      /** Programs without which some indexes could not be read. */
      lacking: readonly string[];
      indexes: number;
      entries: number;
      hashedBytes: number;
    }
  /** The gate held `number` back, and it is the head now; `before` is the head until then, `number` itself where it was that already. */
  | { type: 'accepted'; repository: string; number: number; cid: string; tree: string; before: number | null; contradictions: number }
  | { type: 'removed'; dryRun: boolean; repository: string; snapshots: number }
  | ({ type: 'renamed' } & Renamed)
  /** One tag, as it is after `tag`; `number` is null for one that was taken away. */
  | { type: 'tag'; repository: string; tag: string; number: number | null }
  /** `collected` names the peers that were asked for their space and gave it. */
  | ({ type: 'pruned'; collected: readonly string[]; seconds: number } & Pruned)
  /** What `peers drain` and `rebalance` did, or would do. */
  | ({ type: 'moved-shards'; seconds: number } & Moved)
  /** One shard (`shard` is its number) or catalogue (null) that a snapshot needs, by the word of its peers. */
  | {
      type: 'shard-status';
      shard: number | null;
      label: string;
      cid: string;
      bytes: number;
      held: number;
      least: number;
      replicas: readonly Replica[];
      /** Blocks of it that were lost when it was last read, or `unknown`; absent when none were. */
      lost?: number | 'unknown';
    }
  /** All of these together: those held by fewer peers than their `least` are at risk, those held by none are lost, or away where a peer that should hold them does not answer; `least` is the smallest of them. */
  | {
      type: 'replication';
      least: number;
      shards: number;
      bytes: number;
      atRisk: number;
      atRiskBytes: number;
      lost: number;
      lostBytes: number;
      away: number;
      awayBytes: number;
      /** Shards of which something was lost when they were last read: what is left of them is read as ever. */
      damaged: number;
    }
  | ({ type: 'repaired'; seconds: number } & Repaired)
  /** The final word of `check`. `part` is what was read back, such as `3/30`; `skipped` are steps that lost blocks made unsafe, that wait for a silent peer, or that a dry run cannot foretell. */
  | {
      type: 'checked';
      dryRun: boolean;
      part: string | null;
      forgotten: number;
      skipped: readonly { readonly step: string; readonly reason: 'lost' | 'waiting' | 'unlisted' }[];
      failed: readonly string[];
      atRisk: number;
      atRiskBytes: number;
      seconds: number;
    }
  | ({ type: 'fetched'; out: string; dryRun: boolean; seconds: number } & FetchSummary)
  /** What `follow` holds after a look, or would. */
  | ({ type: 'followed'; dryRun: boolean; seconds: number } & Followed)
  | ({ type: 'exported'; file: string; seconds: number } & Exported)
  | ({ type: 'imported-car'; seconds: number } & ImportedCar)
  /** A snapshot that peers hold, as `recover` lists it. */
  | ({ type: 'recoverable' } & Recoverable)
  | ({ type: 'orphans' } & Orphans)
  /** What `bench` has measured, every run of it. */
  | ({ type: 'benched' } & Report)
  /** One repository that came back. */
  | ({ type: 'recovered'; seconds: number } & Recovered);

/** `path` and `target` are escaped for display, `mtime` is seconds since 1970 with nine decimals, `mode` is octal. */
export interface ListedEntry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly size: number;
  readonly mode?: string;
  readonly mtime?: string;
  readonly target?: string;
  readonly cid: string;
}

export interface SnapshotResult {
  /** Contradictions for which the gate holds it back; absent where it does not. */
  readonly contradictions?: number;
  /** True where `publish` has rolled the repository's IPNS name back to it; else absent. */
  readonly published?: true;
  readonly number: number;
  readonly cid: string;
  readonly tree: string;
  readonly time: string;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  readonly shards: number;
  /** Fewest peers that hold one of its shards. */
  readonly replicas: number;
  readonly tags: readonly string[];
}

/** Writes records as JSON lines, or what `text` makes of them. */
export function answer(context: Context, results: readonly Result[], text: () => readonly string[]): void {
  if (context.json) {
    for (const result of results) context.output.json(result);
  } else {
    for (const line of text()) context.output.line(line);
  }
}
