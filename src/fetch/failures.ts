/** How a run says that it has failed: with what holds for OUT, and the command that helps. */
import { displayPath, shellWord } from '../core/display.ts';
import { messageOf, ShardctlError } from '../core/errors.ts';
import { toBytes } from '../core/path-bytes.ts';
import type { GetSummary } from '../restore/get.ts';
import { type OutDirectory, withRoom } from './out/out-directory.ts';
import { placeIn } from './out/places.ts';
import type { LeftBehind } from './publish/left-behind.ts';

/** @param failed what `get` says of entries that it could not restore @param isFromHome blocks come from this home's peers, and not from gateways */
export function lackingError({ failure, problems }: GetSummary, { path }: OutDirectory, isFromHome: boolean): ShardctlError | undefined {
  if (failure?.code !== 'TOO_FEW_PEERS' || isFromHome) return undefined;
  const what = problems.away === 1 ? '1 entry' : `${problems.away} entries`;
  return new ShardctlError('TOO_FEW_PEERS', `no gateway gives all of ${what}. Nothing in ${path} was changed`, {
    hint: 'name another gateway with --via URL, or wait for the one that failed, then run the same command again: it goes on where it stopped',
    cause: failure,
  });
}

/** Of a run that has brought everything else. */
export function leftBehindError({ unwritable, first = '', holdsIndexes }: LeftBehind, { path }: OutDirectory): ShardctlError {
  const what = unwritable === 1 ? '1 entry' : `${unwritable} entries`;
  const rest = holdsIndexes
    ? 'the package indexes stay as they were, and nothing is deleted, because they may name what is lacking; everything else is there'
    : 'everything else is there';
  const at = shellWord(displayPath(placeIn(toBytes(path), first)));
  const exclude = shellWord(`--exclude=/${displayPath(first)}`);
  return new ShardctlError('NOT_WRITTEN', `${what} cannot be written into ${path}: ${rest}`, {
    hint: `\`lsattr -d ${at}\` shows whether it is immutable. If OUT can do without it, leave it out with ${exclude}: then the rest comes, with the indexes`,
  });
}

/** As `get` says it, with what holds for OUT. */
export function unpublished(error: unknown, { path }: OutDirectory): unknown {
  if (!(error instanceof ShardctlError) || error.code === 'USAGE') return error;
  return new ShardctlError(error.code, `${messageOf(error)}. Nothing in ${path} was changed`, {
    hint: 'run the same command again: it goes on where it stopped',
    cause: error,
  });
}

/** With the paths that people know. */
export function shownOf(error: unknown, out: OutDirectory): unknown {
  if (!(error instanceof ShardctlError)) return error;
  const { code, hint, retryable } = error;
  const shown = hint === undefined ? {} : { hint: out.shown(hint) };
  return withRoom(new ShardctlError(code, out.shown(error.message), { ...shown, retryable, cause: error }), out.path);
}
