/** Runs that write the same record at the same time: none takes what another has only begun, and nothing of it stays. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { FullPeers } from './full-peers.ts';
import { notePartsRead } from './part-turn.ts';
import { noteTold } from './records.ts';
import { keepSilences } from './silences.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-at-once-'));
after(() => rmSync(scratch, { recursive: true }));

const WRITERS: Readonly<Record<string, (runs: string) => void>> = {
  'silent.json': (runs) => keepSilences(runs, new Map(), new Map([['a', { since: 1000, isTold: true }]])),
  'full.json': (runs) => {
    const full = new FullPeers(runs);
    full.note(['a'], []);
    full.save();
  },
  'check-part.json': (runs) => notePartsRead(runs, [], { first: 0, count: 1, parts: 7 }),
  'told/debian.json': (runs) => noteTold(runs, 'debian', { number: 1, tree: 'bafy' }),
};

for (const [name, write] of Object.entries(WRITERS)) {
  test(`${name} is written under no name that two runs could share`, () => {
    const runs = mkdtempSync(join(scratch, 'runs-'));
    const path = join(runs, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, 'half of what another wri');
    write(runs);
    assert.equal(readFileSync(`${path}.new`, 'utf8'), 'half of what another wri');
    assert.equal(typeof JSON.parse(readFileSync(path, 'utf8')), 'object');
    assert.deepEqual(readdirSync(dirname(path)).sort(), [basename(path), `${basename(path)}.new`]);
  });
}
