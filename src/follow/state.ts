/** `follow.json` in the home: what it follows, and what it found when it took each shard. The shards themselves are in the index. */
import { readFileSync } from 'node:fs';
import { writeDurably } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';

const FORMAT = 1;

export interface FollowState {
  /** Name of the repository that is followed, as its snapshots say. */
  readonly repository: string;
  /** SRC, without credentials; not there when an older version wrote it. */
  readonly source?: string | undefined;
  /** CID of the snapshot whose shards are held, and its time, RFC 3339. */
  readonly snapshot: string;
  readonly time: string;
  /** CID of the shard by which the follower knows itself among holders. */
  readonly card: string;
  /** CID of the snapshot's catalogue. */
  readonly catalogue: string;
  /** Number of the next look, see `choice.ts`. */
  readonly round: number;
  /** By CID: how many others held the shard when it was taken. */
  readonly found: Readonly<Record<string, number>>;
}

/**
 * Undefined when the home follows nothing yet.
 * @throws ShardctlError `NEWER_FORMAT`, `DAMAGE` when the file is none of ours
 */
export function readState(path: string): FollowState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw ioError(error, 'reading what this home follows', path);
  }
  const state = parsed(text);
  if (typeof state?.format === 'number' && state.format > FORMAT)
    throw new ShardctlError('NEWER_FORMAT', `${path} has format ${state.format}; this shardctl knows ${FORMAT}`);
  if (state !== undefined && isState(state)) return state;
  throw new ShardctlError('DAMAGE', `${path} cannot be read`, {
    hint: 'delete it: the next run then asks for every shard again whether others hold it, and takes none again that is held',
  });
}

export async function writeState(path: string, state: FollowState): Promise<void> {
  try {
    await writeDurably(path, `${JSON.stringify({ format: FORMAT, ...state })}\n`);
  } catch (error) {
    throw ioError(error, 'noting what this home follows', path);
  }
}

function parsed(text: string): (Partial<FollowState> & { readonly format?: unknown }) | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isState(state: Partial<FollowState>): state is FollowState {
  const { repository, snapshot, time, card, catalogue, round, found } = state;
  return (
    [repository, snapshot, time, card, catalogue].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(round) &&
    typeof found === 'object' &&
    found !== null &&
    Object.values(found).every((count) => Number.isSafeInteger(count) && count >= 0)
  );
}
