/** What a page of a stranger may cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgedTree } from '../../testing/judged-tree.ts';
import { UnreadableIndex } from '../claims/claim.ts';
import { pageClaims } from './project-page.ts';

const PAGE = 'simple/x/index.html';

function claims(html: string) {
  const tree = judgedTree(new Map([[PAGE, Buffer.from(html)]]));
  return pageClaims(tree, { index: '', page: PAGE });
}

test('a page has a million links at most', async () => {
  const link = '<a href=x.whl>';
  assert.equal((await claims(`<html>${link.repeat(100)}`))?.length, 100);
  await assert.rejects(
    claims(`<html>${link.repeat(1_000_001)}`),
    (error) => error instanceof UnreadableIndex && /1,000,000 links/.test(error.message),
  );
});
