/** Nothing on docs/package-managers.md is only said: the trials beside this one run its blocks section by section. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf, sections } from '../../testing/package-tools/page.ts';

const TOOLS = ['apt', 'dnf', 'npm', 'pip', 'go', 'cargo', 'mvn'];
const GATEWAY = 'A stock Kubo gateway';

test('every block of the page is in a section that a trial runs', () => {
  const run = TOOLS.flatMap((name) => [
    [name],
    [name, `${name} at a date`],
    [name, `${name} with a token, over TLS`],
    [GATEWAY, `${name} from Kubo`],
  ]);
  run.push(['apt', 'reprepro'], ['The server']);
  for (const headings of run) assert.ok(blocksOf(...headings).length > 0, headings.join(' / '));
  const withBlocks = sections('package-managers.md').filter(({ blocks }) => blocks.length > 0);
  assert.deepEqual(withBlocks.map(({ path }) => path.slice(1).join(' / ')).sort(), run.map((headings) => headings.join(' / ')).sort());
});
