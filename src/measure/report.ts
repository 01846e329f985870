/** What a bench says at its end, as JSON: every single run, so that later ones can be compared with it. */
import type { Machine } from './machine.ts';
import type { Cost } from './measure.ts';

export interface Run extends Cost {
  readonly corpus: string;
  readonly tool: string;
  /** Of `bench DIR`: `add`, `nothing changed`, `get back`, `1 % new`. Of the other benches: `first`, `again`, or what had changed. */
  readonly phase: string;
  readonly round: number;
  /** Processor time that daemons took meanwhile. */
  readonly daemonSeconds?: number;
  /** Of shardctl: what it put into shards. */
  readonly newBlocks?: number;
  readonly newBytes?: number;
  readonly newShards?: number;
}

export interface Report {
  readonly bench: string;
  /** RFC 3339. */
  readonly time: string;
  readonly machine: Machine;
  /** Of the code that was measured; absent where it is an installed one. */
  readonly commit?: string;
  readonly scale: number;
  readonly corpora: readonly { readonly name: string; readonly files: number; readonly bytes: number }[];
  /** Version of each tool that took part. */
  readonly tools: Readonly<Record<string, string>>;
  readonly runs: readonly Run[];
}
