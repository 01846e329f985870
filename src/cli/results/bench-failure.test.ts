import assert from 'node:assert/strict';
import test from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { CommandFailure } from '../../measure/measure.ts';
import { failureOf, whyOf } from './bench-failure.ts';

const ADD = ['add', '/srv/a mirror', '--name', 'bench', '--gate-action', 'warn', '--home', '/tmp/made/home'];
const ended = (code: number | string, lastLine: string, words = ADD) =>
  new CommandFailure({ argv: ['node', 'shardctl.js', ...words, '--json'] }, code, `before\n${lastLine}\n`);

test('an error of shardctl ends the bench with the same code, and its hint is the command that says more', () => {
  const failure = failureOf(
    ended(43, '{"type":"exit","code":43,"error":{"code":"NO_SPACE","message":"no space left","hint":"free some"},"v":1}'),
    '/srv/a mirror',
    '/tmp/made',
  );
  assert.ok(failure instanceof ShardctlError);
  assert.deepEqual([failure.code, failure.exitCode], ['NO_SPACE', 43]);
  assert.equal(failure.message, 'shardctl add ended with exit code 43: no space left');
  assert.match(failure.hint ?? '', /^`shardctl add '\/srv\/a mirror' --name bench --gate-action warn --home \/tmp\/made\/home` tells more/);
});

test('of a later command the hint says also how to come there, because what it worked on is removed', () => {
  const failure = failureOf(ended('SIGKILL', '', ['update', 'bench', '--home', '/tmp/made/home']), '/srv', '/tmp/made');
  assert.ok(failure instanceof ShardctlError);
  assert.match(failure.message, /^shardctl update ended with SIGKILL/);
  assert.equal(
    failure.hint,
    '`shardctl add /srv --name bench --home /tmp/made/home`, then `shardctl update bench --home /tmp/made/home` tells more; remove /tmp/made afterwards',
  );
});

test('a bug and a kill are errors, too', () => {
  const bug = failureOf(ended(1, '{"type":"exit","code":1,"error":{"code":"BUG","message":"internal error"},"v":1}'), '/srv', '/tmp');
  const killed = failureOf(ended('SIGKILL', ''), '/srv', '/tmp');
  for (const failure of [bug, killed]) assert.equal(failure instanceof ShardctlError && failure.exitCode, 1);
  assert.equal((killed as Error).message, 'shardctl add ended with SIGKILL: before');
});

test('where shardctl has not done all, and that is no error, the bench ends with its code', () => {
  const failure = failureOf(ended(24, '{"type":"exit","code":24,"v":1}'), '/srv', '/tmp');
  assert.ok(!(failure instanceof Error));
  assert.deepEqual([failure.code, failure.warning.message], [24, 'shardctl add ended with exit code 24']);
});

test('what another program said at its end is told in one line', () => {
  assert.equal(whyOf(ended(7, 'Fatal: no \u001b[1mrepository')), 'exit code 7: Fatal: no \\x1B[1mrepository');
});
