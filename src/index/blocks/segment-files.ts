/** The files of a block table's segments: `NUMBER.run`, and `NUMBER.run.tmp` of one that is being written. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, isDamage } from '../../core/errors.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { Segment, SegmentWriter } from './segment.ts';

const SEGMENT = '.run';
/** Names of segments and of half-written ones; other files are left alone. */
const OURS = /^\d{10,}\.run(?:\.tmp)?$/;

/** A segment that is not as it was written. */
export interface DamagedSegment {
  readonly path: string;
  readonly problem: string;
}

/** Paths of the segments, oldest first. */
export function segmentPaths(dir: string): string[] {
  return namesIn(dir).flatMap((name) => (name.endsWith(SEGMENT) ? [join(dir, name)] : []));
}

/** One more than the highest number of a file that is there. */
export function nextNumber(dir: string): number {
  return (
    1 +
    Math.max(
      -1,
      ...namesIn(dir)
        .map((name) => Number.parseInt(name, 10))
        .filter(Number.isSafeInteger),
    )
  );
}

/**
 * Begins a segment that no other process writes: of all that want its name one makes the unfinished file, and the name is free if nobody
 * has used it before that. @param number the first to be tried @returns undefined when the name is taken
 */
export function beginSegment(dir: string, number: number): SegmentWriter | undefined {
  const path = join(dir, `${String(number).padStart(10, '0')}${SEGMENT}`);
  try {
    const writer = new SegmentWriter(path);
    if (!existsSync(path)) return writer;
    writer.abandon();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  return undefined;
}

/** Removes the segments that runs which died have not finished. Nobody may be writing one. @param dir of the block table */
export function removeUnfinished(dir: string): void {
  for (const name of namesIn(dir)) if (!name.endsWith(SEGMENT)) removeFileSync(join(dir, name));
}

/** Names of segments and of half-written ones, in order; none when there is no such directory. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => OURS.test(name))
      .sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Opens all segments, oldest first. Another process may be merging: when a segment has been removed meanwhile, its records are in a new
 * one, and the directory is listed again.
 * @param damaged gets the damaged ones; if undefined, they are an error
 */
export function openSegments(dir: string, damaged: DamagedSegment[] | undefined, attempts = 5): Segment[] {
  const segments: Segment[] = [];
  try {
    for (const path of segmentPaths(dir)) {
      const segment = openSegment(path, damaged);
      if (segment !== undefined) segments.push(segment);
    }
    return segments;
  } catch (error) {
    for (const segment of segments) segment.close();
    damaged?.splice(0);
    if (errnoOf(error) === 'ENOENT' && attempts > 1) return openSegments(dir, damaged, attempts - 1);
    throw error;
  }
}

function openSegment(path: string, damaged: DamagedSegment[] | undefined): Segment | undefined {
  let segment: Segment | undefined;
  try {
    segment = new Segment(path);
    if (damaged !== undefined) segment.check();
    return segment;
  } catch (error) {
    if (damaged === undefined || !isDamage(error)) throw error;
    segment?.close();
    damaged.push({ path, problem: error.message });
    return undefined;
  }
}
