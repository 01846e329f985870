import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { parseCommandLine } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { EACH_UPDATE } from '../command-line/spec.ts';
import { passOn, updateCall } from './child-update.ts';

/** @param environment of a watch that was started by `argv` */
function callOf(environment: NodeJS.ProcessEnv, ...argv: string[]) {
  const parsed = parseCommandLine(['watch', 'm', ...argv], (name) => environment[name]);
  assert.equal(parsed.kind, 'run');
  const context = { ...(parsed as Pick<Context, 'args'>), home: { dir: '/h' } } as Context;
  return updateCall(context, 'm', EACH_UPDATE, undefined, environment);
}

test('an update is told by its command line what was typed, and by the environment what a variable says', () => {
  const environment = { PATH: '/bin', SHARDCTL_REPLICATION: '2', SHARDCTL_QUIET: '1', SHARDCTL_LOG_FORMAT: 'json', SHARDCTL_TOKEN_A: 't' };
  assert.deepEqual(callOf(environment, '--max-delete=5', '--json', '--home=.'), {
    words: ['update', 'm', '--home=/h', '--max-delete=5', '--json'],
    environment,
  });
});

test('what is typed leaves its variable out, and so does what the watch does not hand on', () => {
  const environment = { SHARDCTL_REPLICATION: '2', SHARDCTL_EVERY: '1h', SHARDCTL_CHECKSUM: '1', SHARDCTL_REPAIR: '1' };
  assert.deepEqual(callOf(environment, '--replication=3'), { words: ['update', 'm', '--replication=3'], environment: {} });
});

test('the events of an update are passed on, and neither its exit nor what is left of a line when it is killed', async () => {
  const events: unknown[] = [];
  const text = '{"type":"scan","files":1}\n{"type":"exit","code":0}\n{"type":"scan","fil';
  await passOn(Readable.from([text.slice(0, 10), text.slice(10)]), (event) => events.push(event));
  assert.deepEqual(events, [{ type: 'scan', files: 1 }]);
});
