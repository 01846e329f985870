import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ensureHome, homePaths, requireHome } from './home.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-home-'));
after(() => rmSync(scratch, { recursive: true }));

test('reading from a home that is not there says how to make one', () => {
  assert.throws(() => requireHome(homePaths(join(scratch, 'none'))), {
    code: 'NOT_FOUND',
    exitCode: 40,
    hint: /shardctl add/,
  });
});

test("somebody else's directory is never taken as a home", () => {
  const dir = join(scratch, 'taken');
  mkdirSync(dir);
  writeFileSync(join(dir, 'thesis.tex'), '');
  assert.throws(() => ensureHome(homePaths(dir)), { code: 'USAGE', message: /not a shardctl home.*thesis\.tex/ });
});

test('an empty directory, or what a first run left when it died, becomes a home', () => {
  const dir = join(scratch, 'fresh');
  const paths = homePaths(dir);
  assert.equal(ensureHome(paths), true);
  assert.ok(statSync(dir).isDirectory());
  mkdirSync(paths.locks);
  writeFileSync(`${paths.config}.new`, '{');
  assert.equal(ensureHome(paths), true);
  writeFileSync(paths.config, '{}');
  assert.equal(ensureHome(paths), false, 'with its settings it is a home already');
});

test("a home that another first run makes while this one looks for it is not taken for a lost one, nor for somebody else's directory", () => {
  for (const part of ['index', 'home.json']) {
    const paths = homePaths(mkdtempSync(join(scratch, 'racing-')));
    const makeHome = () => [part, 'config.json', 'config.checked.json'].map((name) => writeFileSync(join(paths.dir, name), '{}'));
    const racing = {
      ...paths,
      // Read after the settings were looked for.
      get index() {
        makeHome();
        return paths.index;
      },
    };
    assert.equal(ensureHome(racing), false, part);
  }
});

test('a file in the place of the home is named', () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  assert.throws(() => ensureHome(homePaths(file)), { code: 'USAGE', message: /file is not a directory/ });
});
