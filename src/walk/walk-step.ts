/** The walk as the stages pass it on: what each takes from the one before it, and hands to the next. */

import type { EntryCounts } from '../core/model.ts';
import type { Directory, ParentRecord } from './directory.ts';

/** What is known of a directory without listing it. */
export interface Recalled {
  /** As the parent has it; valid until the walk goes on. */
  readonly record: ParentRecord;
  /** Positions of the entries whose stat data are not the parent's. */
  readonly touched: Uint32Array;
}

/** A subtree of the parent in which nothing differs. */
export interface SameSubtree extends EntryCounts {
  /** Of its top, in walk order. */
  readonly ordinal: number;
  /** Directories in it, the top included. */
  readonly length: number;
  /** Bytes of its files. */
  readonly bytes: number;
}

/** Says that all entries of a directory have their CIDs, except its subdirectories. */
export interface FilledStep {
  readonly kind: 'filled';
  readonly directory: Directory;
}

export function isFilled(step: { readonly kind: string }): step is FilledStep {
  return step.kind === 'filled';
}

/** Stands for a subdirectory, and all below it, in which nothing differs from the parent. */
export interface SameStep {
  readonly kind: 'same';
  readonly subtree: SameSubtree;
}

export function isSameSubtree(step: { readonly kind: string }): step is SameStep {
  return step.kind === 'same';
}

/** The walk yields this when it has worked for so long that signals and uploads should get a turn. It carries nothing. */
export const PAUSE = { kind: 'pause' } as const;

/** The walk as the stages pass it on: a directory is entered before and left after everything below it. */
export type WalkStep =
  /** `recalled`: it was not listed, because the sweep knows it; all that may differ in it is what was touched. */
  | { readonly kind: 'enter'; readonly directory: Directory; readonly recalled?: Recalled }
  | SameStep
  | typeof PAUSE
  | { readonly kind: 'leave'; readonly directory: Directory };
