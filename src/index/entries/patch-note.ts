/**
 * `N.patch`: says that the entries of snapshot N are those of an older one, the base, with some directories put in the place of others.
 * These stand beside it as a hot and a cold part of their own.
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { flushSync } from '../../core/durable-files.ts';
import type { ByteString } from '../../core/model.ts';

/** A directory of the base that does not count any more: it is another one in the patch, or gone. */
export interface Replaced {
  /** Position in walk order in the base. */
  readonly ordinal: number;
  readonly path: ByteString;
}

export interface PatchNote {
  /** Number of the snapshot whose entries are the base. */
  readonly base: number;
  /** Pair of the base's parts. */
  readonly basePair: bigint;
  /** Pair of the patch's own parts. */
  readonly pair: bigint;
  /** In walk order. */
  readonly replaced: readonly Replaced[];
}

/** Written as a checksum and JSON: the base's number, both pairs, and `[ordinal, path]` of each directory. Durable when it returns, but for its name. */
export function writePatchNote(path: string, { base, basePair, pair, replaced }: PatchNote): void {
  const json = JSON.stringify([base, String(basePair), String(pair), replaced.map(({ ordinal, path: of }) => [ordinal, of])]);
  const fd = openSync(path, 'w');
  try {
    writeFileSync(fd, `${crc32(json)} ${json}`);
    flushSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** @returns undefined when there is none, or it is damaged */
export function readPatchNote(path: string): PatchNote | undefined {
  try {
    const [, checksum, json = ''] = /^(\d+) (.*)$/s.exec(readFileSync(path, 'utf8')) ?? [];
    if (checksum !== String(crc32(json))) return undefined;
    const [base, basePair, pair, replaced] = JSON.parse(json) as [number, string, string, [number, ByteString][]];
    return {
      base,
      basePair: BigInt(basePair),
      pair: BigInt(pair),
      replaced: replaced.map(([ordinal, of]) => ({ ordinal, path: of })),
    };
  } catch {
    return undefined;
  }
}
