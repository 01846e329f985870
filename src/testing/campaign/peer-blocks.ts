/** What lies in the directories of local peers, read without the program: each block by its own hash. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Files that did not change since are not read again. */
const seen = new Map<string, { readonly stamp: string; readonly digests: readonly string[] }>();

/**
 * Where a peer keeps its blocks: CARs in the one layout, single blocks in the other. By size: the names of catalogues differ from one
 * campaign to the next of the same seed, because they say when snapshots were made.
 */
export function dataFiles(peer: string): string[] {
  const files: string[] = [];
  for (const part of ['shards', 'blocks'].map((name) => join(peer, name)).filter((path) => existsSync(path))) {
    for (const name of readdirSync(part, { recursive: true, encoding: 'utf8' })) {
      if (/\.(car|data)$/.test(name)) files.push(join(part, name));
    }
  }
  const size = (path: string) => statSync(path).size;
  return files.sort((a, b) => size(a) - size(b) || (a < b ? -1 : 1));
}

/** CIDs of the shards that a peer says it has; a name that a run which was killed had not finished is none. */
export function shardsAt(peer: string): string[] {
  const pins = join(peer, 'pins');
  if (existsSync(pins)) return readdirSync(pins).filter((name) => /^baf[a-z2-7]+$/.test(name));
  return dataFiles(peer).map((path) => basename(path, '.car'));
}

/** Digests, in hex, of all blocks that are there and whole. */
export function blocksAt(peer: string): Set<string> {
  const digests = new Set<string>();
  for (const path of dataFiles(peer)) {
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    const stamp = `${size} ${mtimeNs} ${ino}`;
    let known = seen.get(path);
    if (known?.stamp !== stamp) {
      known = { stamp, digests: path.endsWith('.car') ? digestsInCar(readFileSync(path)) : [digestOf(readFileSync(path))] };
      seen.set(path, known);
    }
    for (const digest of known.digests) digests.add(digest);
  }
  return digests;
}

/** As far as it can be read. */
function digestsInCar(car: Buffer): string[] {
  const digests: string[] = [];
  let at = 0;
  const length = () => {
    let value = 0;
    for (let shift = 1; at < car.length; shift *= 128) {
      const byte = car[at++] as number;
      value += (byte & 127) * shift;
      if (byte < 128) break;
    }
    return value;
  };
  for (let end = length() + at; end <= car.length; end = length() + at) {
    // The header, or a CIDv1 of 36 bytes and the block.
    const data = car.subarray(at + 36, end);
    if (car.subarray(at + 4, at + 36).equals(createHash('sha256').update(data).digest())) digests.push(digestOf(data));
    at = end;
    if (at >= car.length) break;
  }
  return digests;
}

function digestOf(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
