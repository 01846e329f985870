/** What the gate is asked for, what it says of a tree, and what the index keeps of that; see gate.ts. Paths are byte strings (model.ts). */

/** The kinds of mirror whose indexes can be read. */
export const GATE_KINDS = ['debian', 'rpm', 'npm', 'pypi'] as const;
export type GateKind = (typeof GATE_KINDS)[number];

/** What is done with a snapshot that contradicts itself: it is held back, or becomes the head with a warning. */
export const GATE_ACTIONS = ['hold', 'warn'] as const;
export type GateAction = (typeof GATE_ACTIONS)[number];

/** What the judges are asked for. */
export interface GateSetting {
  /** What is done with what they say, which is not theirs. */
  readonly action: GateAction;
  /** `auto`: whatever the tree is found to be, at its root or below. A list: these kinds, and a tree without an index of one of them contradicts that. */
  readonly kinds: 'auto' | 'off' | readonly GateKind[];
  /** Absolute paths of keyrings for `gpgv`; with none, signatures are not checked. */
  readonly keyrings: readonly string[];
}

/** As `shardctl config` and the options have it; a repository has those in which it differs from the home. */
export interface GateConfig {
  /** `auto`, `off`, or kinds. */
  readonly gate: 'auto' | 'off' | readonly GateKind[];
  readonly gateAction: GateAction;
  /** Absolute paths. */
  readonly gateKeyrings: readonly string[];
}

/**
 * `missing`: named and not there. `size`, `hash`: there, and not what the index says. `unsigned`: no signature by a key of the keyrings.
 * `unreadable`: an index that is none. `in-progress`: the mirror says that it is being written. `stale-trace`: its trace is older than its files.
 */
export type ContradictionWhat = 'missing' | 'size' | 'hash' | 'unsigned' | 'unreadable' | 'in-progress' | 'stale-trace';

/** One thing that an index of the tree says and the tree contradicts. Whoever shows a path or a detail escapes it. */
export interface Contradiction {
  readonly kind: GateKind;
  readonly what: ContradictionWhat;
  /** Path of the index in the tree. */
  readonly index: string;
  /** Path in the tree of what the index names; the index's own where it is itself at fault. */
  readonly path: string;
  /** A sentence for people without the two paths, such as `is 812 bytes and should be 1,024`; it holds nothing that changes from run to run. */
  readonly detail: string;
}

export interface Verdict {
  /** The kinds that were found and judged. */
  readonly kinds: readonly GateKind[];
  readonly read: {
    /** Indexes that were read, entries in them that were compared, bytes of files that were hashed. */
    readonly indexes: number;
    readonly entries: number;
    readonly hashedBytes: number;
  };
  /** How many contradictions there are that `JudgedTree.head` does not have. */
  readonly count: number;
  /** The first of them, MOST_CONTRADICTIONS at most, in an order that is the same in each run. */
  readonly contradictions: readonly Contradiction[];
  /** How many more there are, all of which `JudgedTree.head` has, too. */
  readonly asBefore: number;
  /** How many files that were looked for the filters leave out, so that nothing is contradicted. */
  readonly leftOut: number;
  /** Programs without which some indexes could not be read: these indexes are not judged. */
  readonly lacking: readonly Lack[];
}

export interface Lack {
  /** Such as `xz`. */
  readonly program: string;
  /** How many indexes it would have unpacked. */
  readonly indexes: number;
}

export const MOST_CONTRADICTIONS = 100;

/**
 * Changed when judges find more or less in the same tree than they did before, or indexes by other names: what an older one has passed is
 * then judged as a whole.
 */
export const GATE_VERSION = 4;

/** What a repository, or the home, asks of the gate; what is absent is as the home is set to, or as DEFAULT_GATE. */
export type OwnGate = { readonly [Key in keyof GateConfig]?: GateConfig[Key] | undefined };

export const DEFAULT_GATE: GateConfig = { gate: 'auto', gateAction: 'hold', gateKeyrings: [] };

/**
 * What became of a snapshot at the gate. `held`: it has contradictions and is not the head, until somebody accepts it. `accepted`: it has
 * contradictions and is the head, or was: somebody wanted it so, or the head before it had them, too. `warned`: the same, as the gate only warns,
 * or because readers had it before it could be judged.
 * `unjudged`: it is the head, and nothing can be read of it as its peers are set up.
 */
export type GateOutcome = 'passed' | 'held' | 'accepted' | 'warned' | 'unjudged';

/** A verdict, as the index keeps it with the snapshot. */
export interface Judgement extends Pick<Verdict, 'kinds' | 'count' | 'contradictions'> {
  readonly outcome: GateOutcome;
  /** See `Verdict.asBefore`; absent for none. */
  readonly asBefore?: number;
  /** See `Verdict.leftOut`; absent for none. */
  readonly leftOut?: number;
  /** See `Verdict.lacking`, without the counts; absent for none. */
  readonly lacking?: readonly string[];
  /** Whether any entry of the tree has one of the names by which indexes are found (`GateOrder.indexNames`); absent where nobody has looked. */
  readonly hasIndexNames?: boolean;
  /** Of what is `unjudged`: CID of the shard of which no peer gives bytes; absent where an older version has noted it. */
  readonly unread?: string;
  /** What the gate was asked for, and by which version: another one may find something else. */
  readonly by: string;
}

/** Whether each contradiction is among those that are known; no, where not all of them are listed. */
export function hasOnlyThoseOf(verdict: Pick<Verdict, 'count' | 'contradictions'>, known: Pick<Verdict, 'contradictions'>): boolean {
  if (verdict.count > verdict.contradictions.length) return false;
  const keyOf = ({ kind, what, index, path, detail }: Contradiction) => JSON.stringify([kind, what, index, path, detail]);
  const keys = new Set(known.contradictions.map(keyOf));
  return verdict.contradictions.every((one) => keys.has(keyOf(one)));
}
