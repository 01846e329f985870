/** The texts in `heads/`, after snapshots were rewritten. */
import { readHead, writeHead } from '../../home/heads.ts';
import type { Maintenance } from '../maintenance.ts';

/** A snapshot's CID changes with its shards; a run that died may have left the text behind the index. */
export function refreshHeads({ index, heads }: Maintenance): void {
  for (const { name, head } of index.repositories()) {
    const cid = index.snapshot(name, head)?.cid;
    if (cid !== undefined && readHead(heads, name) !== cid) writeHead(heads, name, cid);
  }
}
