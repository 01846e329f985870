/** For tests: a home's newest tree as a CAR, and a CAR into another home. */
import type { Emit } from '../core/events.ts';
import { parseCid } from '../dag/cid.ts';
import { exportCar } from '../exchange/export-car.ts';
import { type ImportedCar, importCar } from '../exchange/import-car/import-car.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { pruneRun, withIndex } from './retention.ts';
import type { TestHome } from './run.ts';

/** The CAR of the newest snapshot's tree, or of what is at `path` in it. */
export function exportedCar(home: TestHome, path = '', emit: Emit = () => {}): Promise<Buffer> {
  return withIndex(home, async (index) => {
    const tree = parseCid(index.snapshot('test', index.repository('test')?.head ?? 0)?.tree ?? '');
    const blocks = placedBlocks(index, home.peers);
    const pieces: Buffer[] = [];
    const write = async (bytes: Buffer) => pieces.push(bytes) > 0;
    const signal = new AbortController().signal;
    await exportCar({ root: tree, path, cidVersion: tree.version, blocks, write, emit, signal }).finally(() => blocks.close());
    return Buffer.concat(pieces);
  });
}

/** @param pieceBytes how the CAR comes in */
export async function* inPieces(car: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < car.length; at += pieceBytes) yield car.subarray(at, at + pieceBytes);
}

export interface ImportedCarOptions {
  readonly repository?: string;
  readonly replicas?: number;
  readonly pieceBytes?: number;
  readonly root?: string;
  readonly onWarning?: (message: string) => void;
}

/** The CAR as the next snapshot of the repository, which is `test` unless another is named, on as many peers as `replicas` says. */
export function importedCar(home: TestHome, car: Buffer, options: ImportedCarOptions = {}): Promise<ImportedCar> {
  const { repository = 'test', replicas = 1, pieceBytes = 65_536, root, onWarning = () => {} } = options;
  const profileName = (version: 0 | 1) => (version === 0 ? 'unixfs-v0-2015' : 'unixfs-v1-2025');
  return withIndex(home, (index) =>
    importCar({
      ...pruneRun(home, index),
      ownDemand: {},
      replication: { min: replicas, max: replicas },
      allocateBy: ['freespace'],
      repository,
      car: inPieces(car, pieceBytes),
      name: 'tree.car',
      ...(root === undefined ? {} : { root }),
      profileOf: profileName,
      toolVersion: 'test',
      emit: (event) => {
        if (event.type === 'warning') onWarning(event.message);
      },
    }),
  );
}
