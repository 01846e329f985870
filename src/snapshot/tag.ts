/** Which tags a snapshot may have, and how a repository's tags change. A tag stands in references and in addresses, after the `@`. */
import { displayText } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { Tags } from '../core/model.ts';
import { endOfDate } from './snapshot-date.ts';

/** So that a tag needs no quoting in a shell, in a URL, or in a message. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}$/;

/** @throws ShardctlError `USAGE` when a snapshot cannot have this tag; one that looks like a number or a date would never be found */
export function checkTag(tag: string): string {
  const isTaken = /^\d+$/.test(tag) || endOfDate(tag) !== undefined;
  if (TAG.test(tag) && !isTaken) return tag;
  throw new ShardctlError(
    'USAGE',
    `"${displayText(tag)}" cannot be a tag${isTaken ? ': it means a snapshot by its number or its date' : ''}`,
    {
      hint: 'a tag has letters, digits and . _ + ~ -, a letter or a digit first, 100 characters at most',
    },
  );
}

/** The tags of a snapshot, in their order. */
export function tagsOf(tags: Tags | undefined, snapshot: number): string[] {
  return Object.entries(tags ?? {})
    .flatMap(([tag, number]) => (number === snapshot ? [tag] : []))
    .sort();
}

/** The tags without those that `isGone` names; undefined when none is left, as records have it. */
export function tagsWithout(tags: Tags | undefined, isGone: (tag: string, snapshot: number) => boolean): Tags | undefined {
  const left = Object.entries(tags ?? {}).filter(([tag, snapshot]) => !isGone(tag, snapshot));
  return left.length === 0 ? undefined : Object.fromEntries(left);
}
