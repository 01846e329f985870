/** Writes the files in `heads/` anew, after snapshots were rewritten. */
import { readHead, writeHead } from '../../home/heads.ts';
import type { Maintenance } from '../maintenance.ts';

/** A snapshot gets another CID when its shards change, and a run that died may have left an old CID in the file. */
export function refreshHeads({ index, heads }: Maintenance): void {
  for (const { name, head } of index.repositories()) {
    const cid = index.snapshot(name, head)?.cid;
    if (cid !== undefined && readHead(heads, name) !== cid) writeHead(heads, name, cid);
  }
}
