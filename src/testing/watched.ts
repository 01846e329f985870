/** For tests of `watch`: a watched tree whose events are taken when a test says so, and the slow model of what it must tell. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { type InotifyCalls, inotifyCalls } from '../core/inotify-calls.ts';
import { linuxCalls } from '../core/libc.ts';
import { fsPath } from '../core/path-bytes.ts';
import { openSource, type Source } from '../source/source.ts';
import { compileFilter } from '../update/scan/filter.ts';
import { Changes } from '../watch/changes.ts';
import { IN, Inotify, type InotifyEvent } from '../watch/inotify.ts';
import { placesOf } from '../watch/places.ts';
import { WatchedTree } from '../watch/watched-tree.ts';

/** For the `skip` of a test. */
export const withoutInotify: string | false = inotifyCalls() === undefined ? 'there is no inotify here' : false;

/** A tree and the events that it has not taken yet: a test decides when it takes which. */
export class Watched {
  readonly root: string;
  readonly inotify: Inotify;
  readonly source: Source;
  readonly tree: WatchedTree;
  changes = new Changes();
  readonly came: string[] = [];
  readonly #events: InotifyEvent[] = [];

  constructor(root: string, rules: readonly string[] = []) {
    this.root = root;
    this.inotify = Inotify.open(inotifyCalls() as InotifyCalls) as Inotify;
    this.source = openSource(root, linuxCalls());
    this.tree = new WatchedTree({
      filter: compileFilter(rules),
      watches: this.inotify,
      places: placesOf(root),
      changes: () => this.changes,
      onCame: (_, name) => this.came.push(name),
    });
  }

  /** @returns whether there was any */
  takeOne(): boolean {
    if (this.#events.length === 0) this.#events.push(...this.inotify.read());
    const event = this.#events.shift();
    if (event !== undefined) this.tree.take(event);
    return event !== undefined;
  }

  /** The queue is full: what is in it is lost, and that it was is all that is told. */
  overflow(): void {
    this.inotify.read();
    this.#events.length = 0;
    this.tree.take({ watch: -1, mask: IN.overflow, name: '' });
  }

  watchOne(): void {
    this.tree.watchNext(this.source.reach);
  }

  /** All that is there, and what comes of it, as a watch does it: all events first, then all directories that these told of. */
  settle(): void {
    do {
      while (!this.tree.isComplete) this.watchOne();
      while (this.takeOne());
    } while (!this.tree.isComplete);
  }

  /** The same, with a directory watched after each event. */
  settleByTurns(): void {
    while (this.takeOne() || !this.tree.isComplete) this.watchOne();
  }

  /** What was told, as paths from the root; with a slash at the end, what is meant as a whole. */
  told(): string[] {
    return this.changes.list().toString('latin1').split('\0').slice(0, -1);
  }

  close(): void {
    this.inotify.close();
    this.source.close();
  }
}

/** The slow model: all entries below the root, by path. */
export function entriesOf(root: string, at = '', into = new Map<string, BigIntStats>()): Map<string, BigIntStats> {
  for (const name of readdirSync(fsPath(`${root}/${at}`), 'latin1')) {
    const path = at === '' ? name : `${at}/${name}`;
    const stat = lstatSync(fsPath(`${root}/${path}`), { bigint: true });
    into.set(path, stat);
    if (stat.isDirectory()) entriesOf(root, path, into);
  }
  return into;
}

/** Paths of entries that are not as they were, and that nothing that was told leads to. */
export function missed(before: Map<string, BigIntStats>, now: Map<string, BigIntStats>, told: readonly string[]): string[] {
  const isDirectory = (path: string) => before.get(path)?.isDirectory() === true && now.get(path)?.isDirectory() === true;
  const covers = (path: string) =>
    told.some((it) => {
      if (it === path || it === `${path}/` || it.startsWith(`${path}/`)) return true;
      const of = it.endsWith('/') ? it.slice(0, -1) : it;
      return path.startsWith(`${of}/`) && (it.endsWith('/') || !isDirectory(of));
    });
  const changed = (a: BigIntStats | undefined, b: BigIntStats | undefined) =>
    a?.ino !== b?.ino || a?.mode !== b?.mode || a?.size !== b?.size || a?.mtimeNs !== b?.mtimeNs || a?.ctimeNs !== b?.ctimeNs;
  return [...new Set([...before.keys(), ...now.keys()])].filter((path) => changed(before.get(path), now.get(path)) && !covers(path));
}
