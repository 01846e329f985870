import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Program } from '../../testing/program.ts';

const program = new Program();
after(() => program.dispose());

test("status of a follower's home says what is followed, and from whom", () => {
  program.succeeds('peers', 'add', 'local', program.path('space'));
  const state = { repository: 'debian', source: 'http://mirror.example/debian', snapshot: 'bafysnapshot', time: '2026-11-25T00:00:00Z' };
  const note = { format: 1, ...state, card: '', catalogue: '', round: 1, found: {} };
  writeFileSync(join(program.home, 'follow.json'), JSON.stringify(note));
  const { stdout } = program.succeeds('status');
  assert.match(stdout, /^this home follows debian of http:\/\/mirror\.example\/debian,/m);
  assert.match(stdout, /^snapshot bafysnapshot of 2026-11-25T00:00:00Z; noted at \d/m);
  assert.doesNotMatch(stdout, /shardctl add/);
});
