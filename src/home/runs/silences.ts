/**
 * `runs/silent.json`: since when each peer that does not answer has been silent, and whether a run has told of it. The first run that meets
 * it silent writes its name there, the first one that it answers takes it out; but where its silence was told, it stays as one that is back
 * until that is told as well: a run may be killed before it tells what it has heard. Like all of `runs/` it may be deleted at any time: the time
 * is then counted anew.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../../core/fresh-file.ts';
import { removeFileSync } from '../../core/remove-file.ts';

export interface Silence {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** A run has told of it: it is no news any more. */
  readonly isTold: boolean;
  /** The peer has answered since, and no run has told of that. */
  readonly isBack?: true;
}

/** What a run has heard of the peers. */
export interface Heard {
  /** Every peer of the home: who is not among them is a peer no more. */
  readonly peers: readonly string[];
  /** Those of them that did not answer. */
  readonly silent: ReadonlySet<string>;
  /** Those of them that were not asked. [none] */
  readonly unasked?: ReadonlySet<string>;
}

/** @param runs directory of the records @returns by the name of the peer */
export function silencesIn(runs: string): ReadonlyMap<string, Silence> {
  try {
    const noted = JSON.parse(readFileSync(pathIn(runs), 'utf8')) as Readonly<Record<string, unknown>>;
    return new Map(
      Object.entries(noted).flatMap(([name, value]): [string, Silence][] => {
        const { since, told, back } = (value ?? {}) as { readonly since?: unknown; readonly told?: unknown; readonly back?: unknown };
        const at = typeof since === 'string' ? Date.parse(since) : Number.NaN;
        return Number.isNaN(at) ? [] : [[name, { since: at, isTold: told === true, ...(back === true ? { isBack: true } : {}) }]];
      }),
    );
  } catch {
    return new Map();
  }
}

/**
 * @param before what earlier runs have noted
 * @param now milliseconds since 1970; a note from the future, as after a clock was set back, counts from now
 * @param tells whether this run tells of a peer that is silent since then
 */
export function silencesAfter(
  before: ReadonlyMap<string, Silence>,
  { peers, silent, unasked }: Heard,
  now: number,
  tells: (since: number) => boolean,
): ReadonlyMap<string, Silence> {
  return new Map(
    peers.flatMap((name): [string, Silence][] => {
      const noted = before.get(name);
      const known = noted?.isBack === true ? undefined : noted;
      if (unasked?.has(name) === true) return known === undefined ? [] : [[name, known]];
      if (!silent.has(name)) return [];
      const since = Math.min(known?.since ?? now, now);
      return [[name, { since, isTold: known?.isTold === true || tells(since) }]];
    }),
  );
}

/** Peers whose silence was told, and that have answered since. @param after what `silencesAfter` has made of `before` */
export function returnsAfter(
  before: ReadonlyMap<string, Silence>,
  { peers }: Pick<Heard, 'peers'>,
  after: ReadonlyMap<string, Silence>,
): ReadonlyMap<string, Silence> {
  return new Map(
    peers.flatMap((name): [string, Silence][] => {
      const known = before.get(name);
      return known?.isTold === true && !after.has(name) ? [[name, { ...known, isBack: true }]] : [];
    }),
  );
}

/** Writes nothing where nothing is different. */
export function keepSilences(runs: string, before: ReadonlyMap<string, Silence>, after: ReadonlyMap<string, Silence>): void {
  const text = textOf(after);
  if (text !== textOf(before)) write(runs, after.size === 0 ? undefined : text);
}

function textOf(silences: ReadonlyMap<string, Silence>): string {
  const noted = [...silences]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { since, isTold, isBack }]) => {
      const told = { ...(isTold ? { told: true } : {}), ...(isBack === true ? { back: true } : {}) };
      return [name, { since: new Date(since).toISOString(), ...told }] as const;
    });
  return `${JSON.stringify(Object.fromEntries(noted))}\n`;
}

function write(runs: string, text: string | undefined): void {
  const path = pathIn(runs);
  try {
    if (text === undefined) {
      removeFileSync(path);
      return;
    }
    mkdirSync(runs, { recursive: true });
    replaceFileSync(path, text, false);
  } catch {
    // A home that cannot be written to remembers nothing: each run counts from its own beginning.
  }
}

function pathIn(runs: string): string {
  return join(runs, 'silent.json');
}
