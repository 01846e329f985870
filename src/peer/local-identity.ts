/** `peer.json`: what tells a local peer's directory from an empty mount point, and what its format and layout are. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../durable.ts';
import { errnoOf, ShardctlError } from '../errors.ts';

/** Format of a local peer's directory as this version writes it. The first had no marks: whoever knows none must stay away. */
export const PEER_FORMAT = 2;

export type PeerLayout = 'car' | 'blockstore';

export interface PeerIdentity {
  readonly format: number;
  readonly layout: PeerLayout;
  readonly id: string;
}

/** @returns the identity as it is now */
export async function writeIdentity(path: string, { layout, id }: Omit<PeerIdentity, 'format'>): Promise<PeerIdentity> {
  const identity = { format: PEER_FORMAT, layout, id };
  await writeDurably(join(path, 'peer.json'), `${JSON.stringify(identity)}\n`);
  return identity;
}

/** Undefined when there is none. @throws ShardctlError `DAMAGE`, `NEWER_FORMAT` */
export async function readIdentity({ name, path }: { readonly name: string; readonly path: string }): Promise<PeerIdentity | undefined> {
  const file = join(path, 'peer.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  const identity = parseIdentity(text);
  if (identity === undefined) {
    throw new ShardctlError('DAMAGE', `${file} does not describe a peer`, { hint: `is ${path} the directory of peer "${name}"?` });
  }
  if (identity.format > PEER_FORMAT) {
    throw new ShardctlError('NEWER_FORMAT', `${file} has format ${identity.format}; this shardctl reads up to format ${PEER_FORMAT}`, {
      hint: 'a newer shardctl made this peer: install that version or a later one',
    });
  }
  return identity;
}

function parseIdentity(text: string): PeerIdentity | undefined {
  try {
    const { format, layout, id } = JSON.parse(text) as Partial<PeerIdentity>;
    if (typeof format !== 'number' || typeof id !== 'string') return undefined;
    // A newer format may know more layouts: let its number speak first.
    if (format <= PEER_FORMAT && layout !== 'car' && layout !== 'blockstore') return undefined;
    return { format, layout: layout as PeerLayout, id };
  } catch {
    return undefined;
  }
}
