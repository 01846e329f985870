/**
 * `runs/silent.json`: since when each peer that does not answer has been silent. The first run that meets it silent writes its name there,
 * the first one that it answers takes it out. Like all of `runs/` it may be deleted at any time: the time is then counted anew.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param runs directory of the records @returns milliseconds since 1970, by the name of the peer */
export function silencesIn(runs: string): ReadonlyMap<string, number> {
  try {
    const noted = JSON.parse(readFileSync(pathIn(runs), 'utf8')) as Readonly<Record<string, unknown>>;
    return new Map(
      Object.entries(noted).flatMap(([name, since]): [string, number][] => {
        const at = typeof since === 'string' ? Date.parse(since) : Number.NaN;
        return Number.isNaN(at) ? [] : [[name, at]];
      }),
    );
  } catch {
    return new Map();
  }
}

/**
 * @param asked every peer of the home, as this run has asked all of them: who is not among them is a peer no more
 * @param silent those of them that did not answer
 * @param now milliseconds since 1970; a note from the future, as after a clock was set back, counts from now
 * @returns since when each silent one has been silent
 */
export function noteSilences(runs: string, asked: Iterable<string>, silent: ReadonlySet<string>, now: number): ReadonlyMap<string, number> {
  const before = silencesIn(runs);
  const since = new Map([...asked].filter((name) => silent.has(name)).map((name) => [name, Math.min(before.get(name) ?? now, now)]));
  const text = textOf(since);
  if (text !== textOf(before)) write(runs, since.size === 0 ? undefined : text);
  return since;
}

function textOf(since: ReadonlyMap<string, number>): string {
  const noted = [...since].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, at]) => [name, new Date(at).toISOString()] as const);
  return `${JSON.stringify(Object.fromEntries(noted))}\n`;
}

function write(runs: string, text: string | undefined): void {
  const path = pathIn(runs);
  try {
    if (text === undefined) {
      rmSync(path, { force: true });
      return;
    }
    mkdirSync(runs, { recursive: true });
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  } catch {
    // A home that cannot be written to remembers nothing: each run counts from its own beginning.
  }
}

function pathIn(runs: string): string {
  return join(runs, 'silent.json');
}
