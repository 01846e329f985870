/**
 * `peer.json`: what tells a local peer's directory from an empty mount point, and what its format and layout are. With a checksum,
 * from the second format on: a flipped bit must not pass for a newer format, from which there is no way back.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { writeDurably } from '../../../core/durable-files.ts';
import { isGone } from '../../../core/errno.ts';
import { errnoOf, ShardctlError } from '../../../core/errors.ts';

/** Format of a local peer's directory as this version writes it. The first had no marks: whoever knows none must stay away. */
export const PEER_FORMAT = 2;

/** The last without a checksum. */
const UNCHECKED_FORMAT = 1;

export type PeerLayout = 'car' | 'blockstore';

/** The folder of each layout in which what is in the shards lies. */
export const SHARDS_IN: Readonly<Record<PeerLayout, string>> = { car: 'shards', blockstore: 'blocks' };

/** What is in the directory of a peer of either layout. */
export const PEER_PARTS = ['peer.json', 'shards', 'tmp', 'blocks', 'pins', 'leaving', 'owners', 'ballast'] as const;

export interface PeerIdentity {
  readonly format: number;
  readonly layout: PeerLayout;
  readonly id: string;
}

/** @returns the identity as it is now */
export async function writeIdentity(path: string, { layout, id }: Omit<PeerIdentity, 'format'>): Promise<PeerIdentity> {
  const identity = { format: PEER_FORMAT, layout, id };
  await writeDurably(join(path, 'peer.json'), `${JSON.stringify({ ...identity, check: checkOf(identity) })}\n`);
  return identity;
}

/** Over all that stands there, in its order: a later format may have more, and is to be told from a damaged one all the same. */
function checkOf(identity: object): number {
  return crc32(JSON.stringify(identity));
}

/** The layout that a directory evidently has, by what is in it. */
export async function layoutIn(path: string): Promise<PeerLayout | undefined> {
  const isThere = async (folder: string) => (await stat(join(path, folder)).catch(() => undefined))?.isDirectory() === true;
  if (await isThere('shards')) return 'car';
  return (await isThere('pins')) ? 'blockstore' : undefined;
}

/** Undefined when there is none. @throws ShardctlError `DAMAGE`, `NEWER_FORMAT` */
export async function readIdentity({ name, path }: { readonly name: string; readonly path: string }): Promise<PeerIdentity | undefined> {
  const file = join(path, 'peer.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isGone(errnoOf(error))) return undefined;
    throw error;
  }
  const identity = parseIdentity(text);
  if (identity === undefined) {
    throw new ShardctlError('DAMAGE', `${file} of peer "${name}" is damaged: \`shardctl repair\` writes it again`);
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
    const { check, ...rest } = JSON.parse(text) as Partial<PeerIdentity> & { readonly check?: unknown };
    const { format, layout, id } = rest;
    if (typeof format !== 'number' || typeof id !== 'string') return undefined;
    if (check === undefined ? format > UNCHECKED_FORMAT : check !== checkOf(rest)) return undefined;
    // A newer format may know more layouts: let its number speak first.
    if (format <= PEER_FORMAT && layout !== 'car' && layout !== 'blockstore') return undefined;
    return { format, layout: layout as PeerLayout, id };
  } catch {
    return undefined;
  }
}
