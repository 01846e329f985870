import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { passOn } from './child-update.ts';

test('the events of an update are passed on, and neither its exit nor what is left of a line when it is killed', async () => {
  const events: unknown[] = [];
  const text = '{"type":"scan","files":1}\n{"type":"exit","code":0}\n{"type":"scan","fil';
  await passOn(Readable.from([text.slice(0, 10), text.slice(10)]), (event) => events.push(event));
  assert.deepEqual(events, [{ type: 'scan', files: 1 }]);
});
