/** What `add` and `update` are given, in three parts: what is asked for, what they work on, and how they run. */
import type { GateOrder } from '../core/gate.ts';
import type { ByteString, CidProfile, Trust } from '../core/model.ts';
import type { OwnGate } from '../core/verdict.ts';
import type { FullPeers } from '../home/runs/full-peers.ts';
import type { Grace } from '../storing/allocate/grace.ts';
import type { Demand } from '../storing/demand.ts';
import type { OpenHome, RunControl } from '../storing/open-home.ts';
import type { MaxDelete } from './deletion-guard.ts';
import type { SecondThread } from './scan/second-thread.ts';
import type { ToldPaths } from './told/told-paths.ts';

export interface IngestRun {
  readonly request: ImportRequest;
  readonly home: IngestHome;
  readonly control: IngestControl;
}

/** What is asked for. The demand is the repository's own, or else the home's. */
export interface ImportRequest extends Demand {
  readonly repository: string;
  /** Absolute path of the directory to import. */
  readonly source: ByteString;
  /** Mode and mtime go into the tree. */
  readonly metadata: boolean;
  readonly profile: CidProfile;
  /** The chunker as the user named it, if it is not the profile's own. */
  readonly chunker: string | undefined;
  /** rsync-style rules, `- PATTERN` or `+ PATTERN`. */
  readonly filters: readonly ByteString[];
  /** Store a symlink that leads to something inside the source as what it leads to. */
  readonly copyLinks: boolean;
  readonly trust: Trust;
  /** How many entries of the parent may be missing at most; undefined for no limit. */
  readonly maxDelete: MaxDelete | undefined;
  /** What has changed in the source, where somebody knows it: nothing else is looked at. Undefined: everything is. */
  readonly told?: ToldPaths | undefined;
  /** Everything is looked at although something was told, when that was not done for so many milliseconds. Undefined: never. */
  readonly fullEvery?: number | undefined;
  /** Emit an event for each change. */
  readonly itemize: boolean;
  /** What the repository itself asks for from now on, which the index remembers. */
  readonly ownDemand: Partial<Demand>;
  readonly shardBytes: number;
  /** Judges the tree before it becomes the head; absent for none. */
  readonly gate?: GateOrder | undefined;
  /** What the repository itself asks of the gate, which the index remembers. */
  readonly ownGate?: OwnGate | undefined;
}

export interface IngestHome extends OpenHome {
  /** Directory with a directory for each repository, of what interrupted runs imported. */
  readonly pending: string;
}

export interface IngestControl extends RunControl {
  /** Helps with the sweep, where somebody has started it early. */
  readonly secondThread?: SecondThread | undefined;
  /** How long silent peers are waited for; absent: not at all, and nobody remembers them. */
  readonly grace?: Grace | undefined;
  readonly fullPeers?: FullPeers | undefined;
  /** Goes into `snapshot.json`. */
  readonly toolVersion: string;
}
