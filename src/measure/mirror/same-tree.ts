/** Whether a copy is what it is a copy of. It knows nothing of shardctl: it is its judge. */
import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ByteString } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';

const PIECE = 1024 * 1024;
const buffers = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)] as const;

/**
 * Compares names, kinds, modes, times to the nanosecond, targets of symlinks, and every byte of files; of the directories themselves, too.
 * Owners are left out, and so are sockets, pipes and devices: no mirror consists of them.
 * @param passedOver the name of entries that are no part of either, wherever they are
 * @returns the path of the first entry that differs and how; undefined when there is none
 */
export async function differenceOf(
  one: ByteString,
  other: ByteString,
  signal: AbortSignal,
  passedOver?: ByteString,
): Promise<string | undefined> {
  const how = howDiffer(one, statOf(one), other, statOf(other));
  if (how !== undefined) return `the directory itself: ${how}`;
  const waiting: ByteString[] = [''];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    await setImmediate();
    signal.throwIfAborted();
    const [names, others] = [one, other].map((top) => namesIn(joinBytes(top, below), passedOver)) as [string[], string[]];
    const lone = loneOf(names, others);
    if (lone !== undefined) return `${joinBytes(below, lone)}: only one has it`;
    for (const name of names) {
      const path = joinBytes(below, name);
      const [a, b] = [joinBytes(one, path), joinBytes(other, path)];
      const [its, those] = [statOf(a), statOf(b)];
      const how = howDiffer(a, its, b, those);
      if (how !== undefined) return `${path}: ${how}`;
      if (its.isDirectory()) waiting.push(path);
    }
  }
  return undefined;
}

function howDiffer(a: ByteString, its: BigIntStats, b: ByteString, those: BigIntStats): string | undefined {
  const kind = 0o170000n;
  if ((its.mode & kind) !== (those.mode & kind)) return 'another kind of entry';
  if (its.isSymbolicLink()) return readlinkSync(fsPath(a), 'latin1') === readlinkSync(fsPath(b), 'latin1') ? undefined : 'another target';
  if (its.mode !== those.mode) return 'another mode';
  if (its.mtimeNs !== those.mtimeNs) return 'another mtime';
  if (its.isFile() && (its.size !== those.size || !sameBytes(a, b))) return 'other bytes';
  return undefined;
}

/** @param names sorted, as `others` */
function loneOf(names: readonly string[], others: readonly string[]): string | undefined {
  const at = names.findIndex((name, i) => others[i] !== name);
  if (at < 0) return others[names.length];
  const [name, other] = [names[at] as string, others[at]];
  return other === undefined || name < other ? name : other;
}

function namesIn(dir: ByteString, passedOver: ByteString | undefined): string[] {
  return readdirSync(fsPath(dir), { withFileTypes: true, encoding: 'latin1' })
    .filter((entry) => entry.name !== passedOver && (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()))
    .map((entry) => entry.name)
    .sort();
}

function statOf(path: ByteString): BigIntStats {
  return lstatSync(fsPath(path), { bigint: true });
}

function sameBytes(a: ByteString, b: ByteString): boolean {
  const open = [openSync(fsPath(a), 'r'), openSync(fsPath(b), 'r')] as const;
  try {
    for (;;) {
      const [its, those] = [readSync(open[0], buffers[0]), readSync(open[1], buffers[1])];
      if (its !== those || !buffers[0].subarray(0, its).equals(buffers[1].subarray(0, those))) return false;
      if (its === 0) return true;
    }
  } finally {
    for (const file of open) closeSync(file);
  }
}
