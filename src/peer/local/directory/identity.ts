/**
 * `peer.json` tells a local peer's directory from an empty mount point, and names its format and its layout. From the second format on
 * it has a checksum: without it, a flipped bit could make the file look like a newer format, which every version must leave alone.
 */
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { makeDirectory, writeDurably } from '../../../core/durable-files.ts';
import { ioError, isDamage, ShardctlError } from '../../../core/errors.ts';
import { readRegular } from '../../../core/regular-files.ts';
import { ifThere } from './vanishing-files.ts';

/** Format of a local peer's directory as this version writes it. The first had no marks, and a version that knows none must stay away. */
export const PEER_FORMAT = 2;

/** No version writes a longer one. */
const MOST_BYTES = 64 * 1024;

/** The last format without a checksum. */
const UNCHECKED_FORMAT = 1;

export type PeerLayout = 'car' | 'blockstore';

/** The folder in which a peer of each layout has the bytes of its shards. */
export const SHARDS_IN: Readonly<Record<PeerLayout, string>> = { car: 'shards', blockstore: 'blocks' };

const FOLDERS: Readonly<Record<PeerLayout, readonly string[]>> = {
  car: ['shards', 'tmp', 'owners'],
  blockstore: ['blocks', 'pins', 'owners'],
};

/** All that may be in the directory of a peer, whatever its layout. */
export const PEER_PARTS = ['peer.json', 'shards', 'tmp', 'blocks', 'pins', 'leaving', 'owners', 'ballast'] as const;

export interface PeerIdentity {
  readonly format: number;
  readonly layout: PeerLayout;
  readonly id: string;
}

/** What tells which peer is meant, and where it should be. */
interface PeerPlace {
  readonly name: string;
  readonly path: string;
  /** As the settings say. */
  readonly layout: PeerLayout;
}

/** Makes a peer's folders and its `peer.json`. Its ID is always new: all that it is for is to tell that two names mean one directory. */
export async function makePeer({ path, layout }: Pick<PeerPlace, 'path' | 'layout'>): Promise<PeerIdentity> {
  await makeFolders(path, layout);
  return await writeIdentity(path, { layout, id: randomUUID() });
}

export async function makeFolders(path: string, layout: PeerLayout): Promise<void> {
  for (const folder of FOLDERS[layout]) await makeDirectory(join(path, folder));
}

/** Writes `peer.json` in the format of this version. @returns the identity that it holds now */
export async function writeIdentity(path: string, { layout, id }: Omit<PeerIdentity, 'format'>): Promise<PeerIdentity> {
  const identity = { format: PEER_FORMAT, layout, id };
  await writeDurably(join(path, 'peer.json'), `${JSON.stringify({ ...identity, check: checkOf(identity) })}\n`);
  return identity;
}

/** Over all fields in their order, those of later formats too: a later format must not look damaged. */
function checkOf(identity: object): number {
  return crc32(JSON.stringify(identity));
}

/** The layout of a peer as its folders show it. A folder that cannot be looked at, for whatever reason, shows nothing. */
export async function layoutIn(path: string): Promise<PeerLayout | undefined> {
  const isFolder = async (name: string) => (await stat(join(path, name)).catch(() => undefined))?.isDirectory() === true;
  if (await isFolder('shards')) return 'car';
  return (await isFolder('pins')) ? 'blockstore' : undefined;
}

/** The layout of a directory that is a peer already. @throws ShardctlError `TOO_FEW_PEERS` when it is none */
export async function layoutAt(path: string): Promise<PeerLayout> {
  try {
    const identity = await readIdentity({ name: path, path });
    if (identity !== undefined) return identity.layout;
  } catch (error) {
    const evident = isDamage(error) ? await layoutIn(path) : undefined;
    if (evident !== undefined) return evident;
    throw ioError(error, 'opening the peer', path);
  }
  throw new ShardctlError('TOO_FEW_PEERS', `${path} is not a peer: it has no peer.json`, { hint: 'is its disk mounted?' });
}

/** The identity of a peer that is in the settings. @throws ShardctlError when the directory is not there, is damaged, or has another layout */
export async function identityOf({ name, path, layout }: PeerPlace): Promise<PeerIdentity> {
  let identity: PeerIdentity | undefined;
  try {
    identity = await readIdentity({ name, path });
  } catch (error) {
    if (isDamage(error) && (await layoutIn(path)) !== layout) {
      throw new ShardctlError('DAMAGE', `${join(path, 'peer.json')} is damaged, and there are no shards of layout ${layout} beside it`, {
        hint: `is ${path} the directory of peer "${name}"? If it is gone for good: \`shardctl peers rm ${name} --force\`, then \`shardctl repair\``,
      });
    }
    throw ioError(error, `opening peer "${name}"`, path);
  }
  if (identity === undefined) {
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" is not there: ${join(path, 'peer.json')} does not exist`, {
      hint: `is its disk mounted? If it is gone for good: \`shardctl peers rm ${name} --force\`, then \`shardctl repair\``,
      retryable: true,
    });
  }
  if (identity.layout !== layout) {
    throw new ShardctlError('BAD_CONFIG', `peer "${name}" (${path}) has layout ${identity.layout}, not ${layout}`, {
      hint: 'a layout cannot be changed: use the peer with its own, or another directory',
    });
  }
  return identity;
}

/** Undefined when there is no `peer.json`. @throws ShardctlError `DAMAGE`, `NEWER_FORMAT` */
export async function readIdentity({ name, path }: Pick<PeerPlace, 'name' | 'path'>): Promise<PeerIdentity | undefined> {
  const file = join(path, 'peer.json');
  const text = (await ifThere(readRegular(file, MOST_BYTES)))?.toString();
  if (text === undefined) return undefined;
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
    // A newer format may have other layouts; the caller refuses it by its number.
    if (format <= PEER_FORMAT && layout !== 'car' && layout !== 'blockstore') return undefined;
    return { format, layout: layout as PeerLayout, id };
  } catch {
    return undefined;
  }
}
