import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Destination } from './destination.ts';

test('what others have put in the place of a file that was made is not written to, and holds nobody up', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-destination-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const destination = new Destination({ libc: undefined, overwrite: false, specialBits: false, warn: () => {} });
  const [victim, path] = [join(dir, 'victim'), join(dir, 'file')];
  writeFileSync(victim, 'x');
  const made = destination.makeFile(path, 10, {});
  closeSync(destination.openMade(made));
  const put: Record<string, () => void> = {
    USAGE: () => linkSync(victim, path),
    ELOOP: () => symlinkSync('victim', path),
    ENXIO: () => execFileSync('mkfifo', [path]),
  };
  for (const [code, make] of Object.entries(put)) {
    rmSync(path);
    make();
    assert.throws(() => destination.openMade(made), { code });
  }
  assert.equal(readFileSync(victim, 'utf8'), 'x');
});
