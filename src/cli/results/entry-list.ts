/** Entries of trees as `ls` and `find` write them, one by one: a list may have millions. */
import { displayPath } from '../../core/display.ts';
import { type ByteString, DIRECTORY } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { formatSize } from '../../home/sizes.ts';
import type { EntryFacts } from '../../read/tree/tree-walk.ts';
import type { Context } from '../command-line/context.ts';
import { KIND_NAMES, modeText, secondsText, timeText } from './listing.ts';
import type { ListedEntry } from './results.ts';
import { shortCid } from './table.ts';

/** Room for files of up to a terabyte: lines are written as they come, so that nothing can be measured first. */
const SIZE_COLUMNS = 12;
const HUMAN_SIZE_COLUMNS = 10;
/** A terminal that is narrower has no room for whole times and CIDs beside names. */
const WIDE_COLUMNS = 140;
const MINUTE_CHARACTERS = '2026-11-25 12:00'.length;

export class EntryList {
  readonly #context: Context;
  readonly #isLong: boolean;
  readonly #isHuman: boolean;
  /** Names as they are, each ended by NUL: what is written is for a program. */
  readonly #isRaw: boolean;
  readonly #isMarked: boolean;
  readonly #isNarrow: boolean;

  /** @param isMarked whether a directory is told by a slash at its end, where its mode is not shown */
  constructor(context: Context, isMarked: boolean) {
    const { args } = context;
    this.#context = context;
    this.#isLong = args.flag('long');
    this.#isHuman = args.flag('human-readable');
    this.#isRaw = args.flag('print0');
    this.#isMarked = isMarked && !this.#isRaw;
    this.#isNarrow = !this.#isRaw && (context.output.columns ?? WIDE_COLUMNS) < WIDE_COLUMNS;
  }

  /** @param path as it is shown @param more what the record has beside the entry @returns false when nobody reads on */
  async write(entry: EntryFacts, path: ByteString, cidVersion: 0 | 1, more: { readonly type: string }): Promise<boolean> {
    const { json, output } = this.#context;
    if (json) await output.item({ ...more, ...recordOf(entry, path, cidVersion) });
    else if (this.#isRaw) await output.bytes(Buffer.from(`${this.#line(entry, path, cidVersion, (name) => name)}\0`, 'latin1'));
    else await output.item(this.#line(entry, path, cidVersion, displayPath));
    return !output.closed;
  }

  #line(entry: EntryFacts, path: ByteString, cidVersion: 0 | 1, nameText: (name: ByteString) => string): string {
    const { kind, size, mode, mtimeNs, target } = entry;
    if (!this.#isLong) return `${nameText(path)}${kind === DIRECTORY && this.#isMarked ? '/' : ''}`;
    const arrow = target === undefined ? '' : ` -> ${nameText(bytesOf(target))}`;
    const shown = this.#isHuman ? formatSize(size).padStart(HUMAN_SIZE_COLUMNS) : String(size).padStart(SIZE_COLUMNS);
    const [time, cid] = [timeText(mtimeNs), cidText(entry, cidVersion)];
    const facts = this.#isNarrow ? `${minuteOf(time)} ${shortCid(cid)}` : `${time} ${cid}`;
    return `${modeText(kind, mode)} ${shown} ${facts} ${nameText(path)}${arrow}`;
  }
}

function recordOf(entry: EntryFacts, path: ByteString, cidVersion: 0 | 1): ListedEntry {
  const { kind, size, mode, mtimeNs, target } = entry;
  return {
    path: displayPath(path),
    kind: KIND_NAMES[kind],
    size,
    ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }),
    ...(mtimeNs === undefined ? {} : { mtime: secondsText(mtimeNs) }),
    ...(target === undefined ? {} : { target: displayPath(bytesOf(target)) }),
    cid: cidText(entry, cidVersion),
  };
}

function bytesOf(target: Uint8Array): ByteString {
  return Buffer.from(target).toString('latin1');
}

/** Years of five digits, and times as seconds, stay as they are. */
function minuteOf(time: string): string {
  return /^\d{4}-/.test(time) ? time.slice(0, MINUTE_CHARACTERS) : time;
}
