import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

interface Told {
  readonly type: string;
  readonly message?: string;
  readonly repository?: string;
  readonly number?: number;
  readonly keep?: boolean;
}

test('where the index of one of several repositories cannot be written, nothing of it is said to be forgotten', {
  skip: onlyInAll(),
}, () => {
  const program = new Program();
  try {
    for (const name of ['one', 'two']) {
      mkdirSync(program.path(name));
      for (const command of ['add', 'update']) {
        writeFileSync(program.path(name, 'file'), command);
        program.succeeds(command, command === 'add' ? program.path(name) : name, '-q');
      }
    }
    const told = (nth: number): Told[] =>
      program.runWithFault(`EIO:${nth}`, 'forget', '--all', '--keep-last', '1', '--json').lines.map((line) => JSON.parse(line) as Told);
    const isUnwritten = ({ type, repository, message = '' }: Told) =>
      type === 'failed' && repository === 'one' && message.startsWith('writing the index');
    // Which operation writes the index changes with the program. A failure before it leaves "one" as it was, and may let "two" be done.
    let nth = 1;
    let lines = told(nth);
    while (!lines.some(isUnwritten) && nth < 30) lines = told(++nth);
    assert.ok(lines.some(isUnwritten));
    assert.deepEqual(
      lines.filter(({ repository, keep }) => repository === 'one' && keep !== undefined),
      [],
    );
    const left = program.succeeds('snapshots', '--json').lines.map((line) => JSON.parse(line) as Told);
    assert.ok(left.some(({ repository, number }) => repository === 'one' && number === 1));
  } finally {
    program.dispose();
  }
});
