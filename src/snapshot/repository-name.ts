/** Which names a repository may have. A name comes from the command line or from a stranger's snapshot. */
import { displayText } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';

/** Names become file names in the index, percent-encoded, and those end at 255 bytes. */
const MOST_ENCODED_NAME = 240;

/**
 * A repository's name stands in references, labels, messages and file names.
 * @param how tells the user how to give another name
 * @throws ShardctlError `USAGE` when a repository cannot have this name
 */
export function checkRepositoryName(name: string, how = 'give a short one with --name'): string {
  const bad = name === '' || name === '.' || name === '..' || /[/@\p{Cc}\p{Cf}\uFFFD]|`shardctl /u.test(name) || name.startsWith('-');
  if (!bad && encodeURIComponent(name).length <= MOST_ENCODED_NAME) return name;
  throw new ShardctlError('USAGE', `"${displayText(name)}" cannot be the name of a repository`, {
    hint: `${how}, without "/", "@", control characters and what looks like a command of a message`,
  });
}
