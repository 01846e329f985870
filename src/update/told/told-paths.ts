/** The paths that a run is told to look at, as a tree, and how they are read from a list or from rsync's log. */
import type { ByteString } from '../../core/model.ts';

/** An entry on the way to a told path, or at its end. */
export interface ToldEntry {
  /** By name. */
  readonly below: ReadonlyMap<ByteString, ToldEntry>;
  /** All below it is to be looked at, too. */
  readonly isWhole: boolean;
}

interface Growing extends ToldEntry {
  readonly below: Map<ByteString, Growing>;
  isWhole: boolean;
}

export class ToldPaths {
  readonly root: ToldEntry = grow();
  /** How often a path was told. */
  count = 0;

  /** @param path from the root of the source, with `/` between its parts; what is empty or `.` of them counts for nothing */
  tell(path: ByteString, isWhole = false): void {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    // The source is looked at below its root alone, whoever wrote the list.
    if (names.includes('..') || path.includes('\0')) throw new BadPath(path);
    let at = this.root as Growing;
    for (const name of names) {
      const below = at.below.get(name) ?? grow();
      at.below.set(name, below);
      at = below;
    }
    if (isWhole) at.isWhole = true;
    this.count++;
  }
}

/** A path that could lead out of the source. */
export class BadPath extends Error {
  readonly path: ByteString;

  constructor(path: ByteString) {
    super('a path of the list leads out of the source');
    this.path = path;
  }
}

function grow(): Growing {
  return { below: new Map(), isWhole: false };
}

/**
 * A list as `rsync --files-from` and `find` write it: paths from the root of the source, or absolute ones inside it, one a line, or with
 * a NUL after each, if there is any NUL. A directory that ends in `/` is meant with all that is below it.
 * @param source its absolute path
 * @throws BadPath
 */
export function toldByList(list: Buffer, source: ByteString): ToldPaths {
  const told = new ToldPaths();
  const text = list.toString('latin1');
  for (const line of text.includes('\0') ? text.split('\0') : text.split(/\r?\n/)) {
    if (line === '') continue;
    const path = line.startsWith(`${source}/`) ? line.slice(source.length) : line;
    told.tell(path, path.endsWith('/'));
  }
  return told;
}

/** What rsync's itemized line is: in a log file after a date, a time and a process; see "--itemize-changes" in rsync(1). */
const ITEM = /^(?:\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\d+\] )?(?:[<>ch.]([fdLDS])(?:[^ /]{7,9}| {7,9}) (.+)|\*deleting +(.+))$/s;

/**
 * What rsync has changed, by what it wrote while it mirrored into the source: its output with `-i`, or its `--log-file`. Lines that are
 * no items count for nothing.
 * @throws BadPath
 */
export function toldByRsync(log: Buffer): ToldPaths {
  const told = new ToldPaths();
  for (const line of log.toString('latin1').split(/\r?\n/)) {
    const [, kind, item, deleted] = ITEM.exec(line) ?? [];
    if (deleted !== undefined) told.tell(unescaped(deleted));
    else if (item !== undefined) for (const name of namesIn(unescaped(item), kind)) told.tell(name);
  }
  return told;
}

/**
 * A symlink is followed by ` -> ` and where it leads, a hard link by ` => ` and its other name. Either may be part of a name, too: then
 * each beginning that may be the name is told. A path that is not there, and never was, costs a look.
 */
function* namesIn(item: ByteString, kind: string | undefined): Generator<ByteString, void, void> {
  yield item;
  const arrow = kind === 'L' ? ' -> ' : ' => ';
  for (let at = item.indexOf(arrow); at >= 0; at = item.indexOf(arrow, at + 1)) yield item.slice(0, at);
}

/** rsync writes bytes that a terminal would not show as `\#` and three octal digits. */
function unescaped(text: string): ByteString {
  return text.replace(/\\#([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8) & 0xff));
}
