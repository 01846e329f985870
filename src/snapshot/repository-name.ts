/** What a repository may be called. The name may come from a stranger's snapshot as well as from the command line. */
import { displayText } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';

/** Names become file names in the index, percent-encoded, and those end at 255 bytes. */
const MOST_ENCODED_NAME = 240;

/** A repository's name stands in references, labels and messages. @param how another one is given @throws ShardctlError `USAGE` when this one cannot */
export function checkRepositoryName(name: string, how = 'give a short one with --name'): string {
  const bad = name === '' || name === '.' || name === '..' || /[/@\p{Cc}\p{Cf}\uFFFD]/u.test(name) || name.startsWith('-');
  if (!bad && encodeURIComponent(name).length <= MOST_ENCODED_NAME) return name;
  throw new ShardctlError('USAGE', `"${displayText(name)}" cannot be the name of a repository`, {
    hint: `${how}, without "/", "@" and control characters`,
  });
}
