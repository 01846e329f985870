import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { parseCid } from '../../dag/cid.ts';
import { TreePaths } from '../../read/tree/tree-paths.ts';
import { PathMirror } from '../../testing/path-mirror.ts';
import { failureOf } from '../http/failure.ts';
import { ListingBudget, MOST_LISTED, rowsOf, TooMuchListed } from './listing.ts';

const DAY1 = '2026-11-24T10:00:00.000Z';

const mirror = new PathMirror();
after(async () => {
  await mirror.allReleased();
  await mirror.close();
});

const ask = (url: string, headers: Record<string, string> = {}) => mirror.app.inject({ url, headers });

test('a listing names every entry by its bytes, whatever they are, and none becomes markup', async () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0 && byte !== 0x2f)))
    .filter((bytes) => bytes.length > 0 && !/^\.\.?$/.test(bytes.toString('latin1')));
  const hostile = [
    '<script>alert(1)</script>',
    '"onclick="x',
    "'",
    '&amp;',
    'a:b',
    'javascript:alert(1)',
    '?list',
    '#x',
    '%2e',
    ' ',
    'ä',
    '..x',
    '\n',
  ];
  const law = fc.asyncProperty(
    fc.array(
      fc.oneof(
        name,
        fc.constantFrom(...hostile).map((text) => Buffer.from(text.replaceAll('/', '_'))),
      ),
      { maxLength: 12 },
    ),
    async (names) => {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-listing-'));
      const wanted = [...new Set(names.map((it) => it.toString('latin1')))].sort();
      for (const it of wanted) writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(it, 'latin1')]), 'x');
      await mirror.commit('odd', DAY1, dir, 200);
      rmSync(dir, { recursive: true });
      const { body } = await ask('/odd/?list');
      const rows = body.slice(body.indexOf('<tbody>'));
      const links = [...rows.matchAll(/<td><a href="([^"<>]*)">/g)].map(([, href]) => href as string).slice(1);
      const decode = (href: string) => href.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      assert.deepEqual(links.map(decode).sort(), wanted);
      assert.equal(
        links.some((href) => !/^[\w\-.~@+!$,=%]+$/.test(href)),
        false,
      );
      assert.deepEqual(
        [...rows.matchAll(/<(\w+)/g)].filter(
          ([, tag]) => !['a', 'tr', 'td', 'span', 'tbody', 'footer', 'code', 'table'].includes(tag as string),
        ),
        [],
      );
      for (const href of links) assert.equal((await ask(`/odd/${href}`)).body, 'x', href);
      const json = JSON.parse((await ask('/odd/?list&format=json')).body) as { href: string }[];
      assert.deepEqual(
        json.map(({ href }) => decode(href)),
        wanted,
      );
    },
  );
  await fc.assert(law, { numRuns: 25 });
});

test('a listing shows where symlinks lead, links what it can serve, and never itself below itself', async () => {
  await mirror.commit('links', DAY1, {
    file: 'text',
    dir: { up: { link: '..' }, here: { link: '.' }, other: { link: '../side' } },
    side: { file: 'x' },
    ubuntu: { link: '.' },
    away: { link: '/etc' },
    lost: { link: 'nothing' },
    again: { link: 'file' },
  });
  const hrefs = async (url: string) => [...(await ask(url)).body.matchAll(/<td><a href="([^"]*)">/g)].map(([, href]) => href);
  assert.deepEqual(await hrefs('/links/'), ['/', 'again', 'dir/', 'file', 'side/']);
  assert.deepEqual(await hrefs('/links/dir/'), ['../', 'other/']);
  assert.match((await ask('/links/')).body, /lost <span class="d">→ nothing<\/span>/);
  assert.equal((await ask('/links/ubuntu/file')).body, 'text');
});

test('a large listing whose reader leaves is read no further, and lets go of its view', async () => {
  await mirror.commit('many', DAY1, Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`${i}`.padStart(100, 'n'), ''])));
  await mirror.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = mirror.app.server.address() as { port: number };
  const request = get({ port, path: '/many/?list' });
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  await once(response, 'data');
  request.destroy();
  await mirror.allReleased();
});

test('a listing whose reader leaves has ended when nothing is read through its view any more', async () => {
  const { tree } = await mirror.commit('slow', DAY1, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}`, ''])));
  const [root, paths] = [parseCid(tree), new TreePaths()];
  const directory = await paths.find(root, '', mirror.blocks);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const reads = { begun: 0, ended: 0 };
  const read = async (digest: Uint8Array) => {
    // The directory and the first row are there; the others are read ahead from a peer that takes its time.
    if (++reads.begun > 2) await answered;
    reads.ended++;
    return await mirror.blocks.read(digest);
  };
  const blocks = { read, sizeOf: async () => 0 };
  const rows = rowsOf({ root, paths, committed: 0, blocks }, directory, new ListingBudget(), () => true);
  await rows.next();
  let isOver = false;
  const over = rows.return().then(() => {
    isOver = true;
  });
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(isOver, false);
  answer();
  await over;
  assert.deepEqual(reads, { begun: 11, ended: 11 });
});

test('large directories are listed one after the other: one too many is refused, and none is when the others are done', async () => {
  const budget = new ListingBudget();
  budget.take(MOST_LISTED + 1);
  assert.throws(() => budget.take(1), TooMuchListed);
  budget.giveBack(MOST_LISTED + 1);
  budget.take(MOST_LISTED);
  assert.throws(() => budget.take(1), TooMuchListed);
  assert.deepEqual([failureOf(new TooMuchListed('x')).code, failureOf(new TooMuchListed('x')).retryAfter], [503, 5]);
});
