/** The pages hold together: what they link to and name is there, and no line is too long to read. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT, worstOf } from '../core/errors.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MOST_COLUMNS = 100;
/** A row of a table cannot be broken. */
const MOST_COLUMNS_OF_A_ROW = 110;

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
].filter((page) => page.endsWith('.md'));
const ROOMS = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

const FILES = ['src', 'bench'].flatMap((dir) =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' }).map((file) => `${dir}/${file}`),
);

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(page: string): string[] {
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

for (const page of PAGES) {
  describe(page, () => {
    test('every link leads somewhere', () => {
      for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const linked = path === '' ? page : join(dirname(page), path);
        assert.ok(existsSync(join(ROOT, linked)), target);
        if (anchor !== undefined) assert.ok(anchorsOf(linked).includes(anchor), target);
      }
    });

    test('every file and folder that it names is there', () => {
      for (const [, path = ''] of textOf(page).matchAll(/`((?:src|docs|bench|scripts|fixtures|deploy)\/[\w./-]*)`/g)) {
        assert.ok(existsSync(join(ROOT, path)), path);
      }
      for (const [, name = ''] of textOf(page).matchAll(/`([\w./-]+\.ts)`/g)) {
        assert.ok(
          FILES.some((file) => `/${file}`.endsWith(`/${name}`)),
          name,
        );
      }
      if (page !== 'docs/architecture.md') return;
      const rooms = new RegExp(`\`((?:${ROOMS.join('|')})/[\\w./-]*)\``, 'g');
      for (const [, path = ''] of textOf(page).matchAll(rooms)) assert.ok(existsSync(join(ROOT, 'src', path)), path);
    });

    test('no line is too long', () => {
      for (const line of textOf(page).split('\n')) {
        const most = line.startsWith('|') ? MOST_COLUMNS_OF_A_ROW : MOST_COLUMNS;
        assert.ok([...line].length <= most, line);
      }
    });
  });
}

for (const folder of [...ROOMS.map((room) => `src/${room}`), 'deploy', 'deploy/compose', 'deploy/debian', 'deploy/kubernetes']) {
  test(`${folder} has a README.md`, () => assert.ok(existsSync(join(ROOT, folder, 'README.md'))));
}

test('a comment that names a page names one that is there', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  for (const file of files) {
    for (const [page] of readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(/\bdocs\/[\w-]+\.md\b/g)) {
      assert.ok(existsSync(join(ROOT, page)), `${file}: ${page}`);
    }
  }
});

for (const page of ['README.md', 'docs/architecture.md', 'docs/operations.md']) {
  test(`the table of exit codes in ${page} has each of them, and no other`, () => {
    const [, rows = ''] = /^\|(?: exit)? code \| meaning \|.*\n\|.*\n(\| 0 \|.*\n(?:\|.*\n)+)/m.exec(textOf(page)) ?? [];
    const codes = [...rows.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', ').map(Number));
    assert.deepEqual([...new Set(codes)].sort(byNumber), Object.values(EXIT).sort(byNumber));
  });
}

test('the page for operators says which of several ends is the worst', () => {
  const [, order = ''] = /of the worst end, in this order: ([\d, ]+)\./.exec(textOf('docs/operations.md').replaceAll('\n', ' ')) ?? [];
  const codes = order.split(', ').map(Number);
  assert.deepEqual(
    [...codes].sort(byNumber),
    Object.values(EXIT)
      .filter((code) => code !== EXIT.done)
      .sort(byNumber),
  );
  for (const [at, code] of codes.entries()) assert.equal(worstOf(codes.slice(at)), code);
});

function byNumber(a: number, b: number): number {
  return a - b;
}
