/**
 * The entries of a snapshot as they lie on disk: whole, or as those of an older snapshot, the base, with a patch of the directories that
 * have changed since. A run that is told what has changed looks up single directories in them, and leaves a larger patch. Whoever wants
 * to read all of them has them made whole first.
 */
import { renameSync } from 'node:fs';
import { removeUnlessBusy } from '../../core/durable-files.ts';
import { damagedEntries, type EntriesHeader } from './format.ts';
import type { EntriesRecord } from './hot-file.ts';
import { LayerLookup } from './layer-lookup.ts';
import { patchEntries } from './patch.ts';
import type { PatchNote, Replaced } from './patch-note.ts';
import { EntriesReader } from './reader.ts';
import { EntriesLookup } from './some-entries.ts';

/** Paths of the files of one hot and cold part. */
export interface PartPaths {
  readonly hot: string;
  readonly cold: string;
  /** Of the list of blocks. */
  readonly blocks: string;
}

const PARTS = ['hot', 'cold', 'blocks'] as const;

/** Files, open. */
interface Layer {
  readonly entries: EntriesReader;
  /** Path of the list of blocks. */
  readonly blocks: string;
}

/** What differs from the base. */
interface PatchLayer extends Layer {
  readonly replaced: readonly Replaced[];
}

/** A larger patch than this part of its base is not kept: the entries are written whole then. Smaller ones are copied by each told run. */
const MOST_OF_BASE = 1 / 8;

/** Whole entries that were made of patched ones. */
export interface WholeEntries {
  readonly entries: EntriesReader;
  /** Removes the files, where they are nobody else's. */
  readonly remove?: () => void;
}

type MakeWhole = (stored: StoredEntries) => WholeEntries;

export class StoredEntries {
  readonly #base: Layer;
  readonly #patch: PatchLayer | undefined;
  /** Number of the snapshot that the base is of. */
  readonly baseNumber: number;
  readonly #makeWhole: MakeWhole | undefined;
  #whole: WholeEntries | undefined;
  #lookup: { readonly all: EntriesLookup; readonly base: LayerLookup; readonly patch: LayerLookup | undefined } | undefined;

  /** @throws EntriesDamaged, or the error of a file that is not there */
  static whole(number: number, { hot, cold, blocks }: PartPaths): StoredEntries {
    return new StoredEntries({ entries: EntriesReader.open(hot, cold), blocks }, undefined, number, undefined);
  }

  /**
   * @param makeWhole writes and opens the whole entries
   * @throws EntriesDamaged, also where the note is of other files: a run has died, and what it left does not count; or the error of a
   * file that is not there
   */
  static patched({ base, basePair, pair, replaced }: PatchNote, patch: PartPaths, whole: PartPaths, makeWhole: MakeWhole): StoredEntries {
    const layer = { entries: EntriesReader.open(patch.hot, patch.cold), blocks: patch.blocks, replaced };
    try {
      const entries = EntriesReader.open(whole.hot, whole.cold);
      const stored = new StoredEntries({ entries, blocks: whole.blocks }, layer, base, makeWhole);
      if (layer.entries.header.pair === pair && entries.header.pair === basePair) return stored;
      entries.close();
      throw damagedEntries(patch.hot, 'it is of other entries');
    } catch (error) {
      layer.entries.close();
      throw error;
    }
  }

  private constructor(base: Layer, patch: PatchLayer | undefined, baseNumber: number, makeWhole: MakeWhole | undefined) {
    this.#base = base;
    this.#patch = patch;
    this.baseNumber = baseNumber;
    this.#makeWhole = makeWhole;
  }

  get header(): EntriesHeader {
    return (this.#patch ?? this.#base).entries.header;
  }

  /** All entries. @throws EntriesDamaged */
  whole(): EntriesReader {
    this.#whole ??= this.#makeWhole?.(this) ?? { entries: this.#base.entries };
    return this.#whole.entries;
  }

  /** Single directories of them. @throws EntriesDamaged */
  lookup(): EntriesLookup {
    return this.#lookups.all;
  }

  /** Writes them as whole entries. Durable, but for the names. @throws EntriesDamaged */
  writeWhole(out: PartPaths): void {
    if (this.#patch === undefined) throw new Error('these entries are whole');
    const { replaced, entries } = this.#patch;
    patchEntries({ base: this.#base.entries, blocks: this.#lookups.base.blocks, replaced, patch: entries.another() }, out);
  }

  /**
   * The same base, with some more directories in the patch.
   * @param parts what takes the place of these directories, written; it is gone when this returns
   * @param replaced records that `lookup` has found, in walk order @param out where the patch goes
   * @returns what the caller closes by `closePatch` @throws EntriesDamaged
   */
  patchedBy(parts: PartPaths, replaced: readonly EntriesRecord[], out: PartPaths): StoredEntries {
    const { all, patch } = this.#lookups;
    const its = all.inLayers(replaced);
    if (patch === undefined) for (const part of PARTS) renameSync(parts[part], out[part]);
    else {
      const fresh = EntriesReader.open(parts.hot, parts.cold);
      try {
        patchEntries({ base: patch.entries, blocks: patch.blocks, replaced: its.patch, patch: fresh }, out);
      } finally {
        fresh.close();
        for (const part of PARTS) removeUnlessBusy(parts[part]);
      }
    }
    const allReplaced = [...(this.#patch?.replaced ?? []), ...its.base].sort((a, b) => a.ordinal - b.ordinal);
    const layer = { entries: EntriesReader.open(out.hot, out.cold), blocks: out.blocks, replaced: allReplaced };
    return new StoredEntries(this.#base, layer, this.baseNumber, this.#makeWhole);
  }

  /** Whether the patch is too large to be kept. */
  get isMuchPatched(): boolean {
    return this.#patch !== undefined && bytesOf(this.#patch) > MOST_OF_BASE * bytesOf(this.#base);
  }

  /** What is to be noted of the patch. */
  note(): PatchNote {
    if (this.#patch === undefined) throw new Error('these entries are whole');
    const { replaced, entries } = this.#patch;
    return { base: this.baseNumber, basePair: this.#base.entries.header.pair, pair: entries.header.pair, replaced };
  }

  closePatch(): void {
    this.#patch?.entries.close();
  }

  close(): void {
    for (const reader of new Set([this.#base.entries, this.#patch?.entries, this.#whole?.entries])) reader?.close();
    this.#whole?.remove?.();
  }

  get #lookups() {
    if (this.#lookup === undefined) {
      const base = new LayerLookup(this.#base.entries, this.#base.blocks);
      const patch = this.#patch && new LayerLookup(this.#patch.entries, this.#patch.blocks);
      this.#lookup = { base, patch, all: new EntriesLookup(base, patch, this.#patch?.replaced ?? []) };
    }
    return this.#lookup;
  }
}

function bytesOf({ entries }: Layer): number {
  return entries.hot.bytes + entries.coldFile.end;
}
