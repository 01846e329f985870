import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isGone } from '../core/errno.ts';
import { errnoOf } from '../core/errors.ts';
import { toBytes } from '../core/path-bytes.ts';
import { keepSwapping } from '../testing/swapper.ts';
import { writeTree } from '../testing/tree.ts';
import { openBy, WAYS, type Way } from '../testing/ways.ts';
import type { Reach } from './reach.ts';
import type { Source } from './source.ts';

for (const way of WAYS) {
  describe(`a source that is reached by ${way}`, () => {
    let dir: string;
    let source: Source;
    let reach: Reach;

    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'shardctl-reach-'));
      writeTree(dir, {
        source: { file: 'its own', a: { b: { c: 'deep', link: { link: 'its own' } } } },
        elsewhere: { c: 'secret', link: { link: 'secret' }, secret: 'secret', b: { c: 'secret' } },
      });
      source = openBy(way as Way, toBytes(join(dir, 'source')));
      ({ reach } = source);
    });
    afterEach(() => {
      source.close();
      rmSync(dir, { recursive: true });
    });

    const names = (path: string) => reach.inDirectory(path, ({ prefix }) => readdirSync(prefix, 'latin1').sort());
    const content = (path: string, seen?: bigint) => {
      const fd = reach.openFile(path, seen);
      try {
        return readFileSync(fd, 'latin1');
      } finally {
        closeSync(fd);
      }
    };
    /** What comes of it; an errno where nothing does because it is not there. */
    const outcome = (act: () => unknown) => {
      try {
        return String(act());
      } catch (error) {
        assert.ok(isGone(errnoOf(error)), String(error));
        return 'gone';
      }
    };
    const all = (path: string) => [() => names(path), () => content(`${path}/c`), () => reach.readLink(`${path}/link`)].map(outcome);

    it('gives its directories, files and symlinks', () => {
      assert.deepEqual(names(''), ['a', 'file']);
      assert.equal(content('file'), 'its own');
      assert.deepEqual(all('a/b'), ['c,link', 'deep', 'its own']);
      assert.throws(() => reach.openFile('a/none'), { code: 'ENOENT' });
      assert.throws(() => names('none'), { code: 'ENOENT' });
    });

    it('ends where a directory has become a symlink, at any depth, also after it was looked into', () => {
      for (const [swapped, before, after] of [
        ['a/b', 'a/b', 'elsewhere'],
        ['a', 'a/b', 'elsewhere'],
      ] as const) {
        assert.deepEqual(all(before), ['c,link', 'deep', 'its own']);
        renameSync(join(dir, 'source', swapped), join(dir, 'away'));
        symlinkSync(join(dir, after), join(dir, 'source', swapped));
        for (const it of all('a/b')) assert.ok(['gone', 'deep', 'its own'].includes(it), it);
        assert.equal(
          outcome(() => names('a/b')),
          'gone',
        );
        rmSync(join(dir, 'source', swapped));
        renameSync(join(dir, 'away'), join(dir, 'source', swapped));
      }
    });

    it('is the one that was opened, also when a symlink to it is turned elsewhere', () => {
      symlinkSync(join(dir, 'source'), join(dir, 'named'));
      const named = openBy(way as Way, toBytes(join(dir, 'named')));
      rmSync(join(dir, 'named'));
      symlinkSync(join(dir, 'elsewhere'), join(dir, 'named'));
      assert.deepEqual(
        named.reach.inDirectory('', ({ prefix }) => readdirSync(prefix).sort()),
        ['a', 'file'],
      );
      named.close();
    });

    it('gives the file that was seen, or another one of the source in its place', () => {
      const { ino } = lstatSync(join(dir, 'source/a/b/c'), { bigint: true });
      assert.equal(content('a/b/c', ino), 'deep');
      renameSync(join(dir, 'source/a'), join(dir, 'away'));
      symlinkSync(join(dir, 'away'), join(dir, 'source/a'));
      assert.ok(['gone', 'deep'].includes(outcome(() => content('a/b/c', ino))));
      rmSync(join(dir, 'source/a'));
      mkdirSync(join(dir, 'source/a/b'), { recursive: true });
      writeFileSync(join(dir, 'source/a/b/c'), 'newer');
      assert.equal(content('a/b/c', ino), 'newer');
    });

    it('gives a symlink in the place of a file as none, and is not held up by a FIFO', () => {
      rmSync(join(dir, 'source/file'));
      symlinkSync(join(dir, 'elsewhere/secret'), join(dir, 'source/file'));
      assert.throws(() => reach.openFile('file'), { code: 'ELOOP' });
      execFileSync('mkfifo', [join(dir, 'source/fifo')]);
      const fd = reach.openFile('fifo');
      assert.equal(fstatSync(fd).isFIFO(), true);
      closeSync(fd);
    });

    it('never gives what is elsewhere while a directory is exchanged for a symlink again and again', async () => {
      const { ino } = lstatSync(join(dir, 'source/a/b/c'), { bigint: true });
      for (const swapped of ['a/b', 'a']) {
        const stop = await keepSwapping({ directory: join(dir, 'source', swapped), elsewhere: join(dir, 'elsewhere') });
        const seen = new Set<string>();
        for (let i = 0; i < 1500; i++) {
          const [listed, ...rest] = [...all('a/b'), outcome(() => content('a/b/c', ino))];
          // By paths names alone may be others': see `path-reach.ts`.
          if (way !== 'paths') seen.add(listed as string);
          for (const it of rest) seen.add(it);
        }
        await stop();
        assert.deepEqual(
          [...seen].filter((it) => !['gone', 'c,link', 'deep', 'its own'].includes(it)),
          [],
        );
      }
    });

    it('reaches below more directories than there may be open files', () => {
      const depth = 200;
      mkdirSync(join(dir, 'source', ...Array(depth).fill('d')), { recursive: true });
      assert.deepEqual(names(Array(depth).fill('d').join('/')), []);
      assert.ok(readdirSync('/dev/fd').length < 100);
    });
  });
}
