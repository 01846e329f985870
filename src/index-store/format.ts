/** The format of the index as a whole, and how an older one becomes today's: in one transaction, and without a command. */
import { ShardctlError } from '../errors.ts';
import type { Tables } from './tables.ts';

/** A newer one is refused; an older one can be read, and the next run that writes brings it up to date. */
export const INDEX_FORMAT = 2;

/** @returns the format of these tables; undefined when they are new @throws ShardctlError `NEWER_FORMAT` */
export function formatOf({ meta }: Tables, dir: string): number | undefined {
  const found = meta.get('format');
  if (found === undefined || found <= INDEX_FORMAT) return found;
  throw new ShardctlError('NEWER_FORMAT', `the index at ${dir} has format ${found}; this shardctl knows ${INDEX_FORMAT}`, {
    hint: 'use the newer shardctl that wrote it',
  });
}

/**
 * Within a transaction: a run that dies in it leaves the old format, whole.
 * @param _found the format so far; undefined for new tables
 */
export function bringUpToDate(tables: Tables, _found: number | undefined): void {
  void tables.meta.put('format', INDEX_FORMAT);
}
