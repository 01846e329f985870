/** The units of docs/systemd: systemd takes them, and the program takes the command lines that are in them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseCommandLine } from '../cli/command-line/args.ts';
import { without } from '../testing/package-tools/required.ts';

const UNITS = fileURLToPath(new URL('../../../docs/systemd', import.meta.url));

for (const unit of readdirSync(UNITS)) {
  const text = readFileSync(join(UNITS, unit), 'utf8');

  test(`${unit}: the program knows its commands and options`, () => {
    for (const [, words = ''] of text.matchAll(/^#?ExecStart=\/usr\/bin\/env shardctl (.+)$/gm))
      assert.equal(parseCommandLine(words.replaceAll('%i', 'debian').split(' ')).kind, 'run', words);
  });

  test(`${unit}: systemd takes it`, { skip: without('systemd-analyze', 'systemd-analyze') }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-units-'));
    try {
      // An instance, and a user that is there.
      for (const name of readdirSync(UNITS)) {
        const instance = name.replace('@.', '@debian.');
        writeFileSync(join(dir, instance), readFileSync(join(UNITS, name), 'utf8').replaceAll('User=shardctl', 'User=root'));
      }
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(dir, unit.replace('@.', '@debian.'))], {
        encoding: 'utf8',
      });
      // What it says of other units of the machine does not count.
      assert.deepEqual(
        stderr.split('\n').filter((line) => line.includes(dir)),
        [],
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}
