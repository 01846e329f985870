import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { type CountAhead, countAhead } from './count-ahead.ts';

const source = mkdtempSync(join(tmpdir(), 'shardctl-count-'));
after(() => rmSync(source, { recursive: true }));
mkdirSync(join(source, 'pool'));
for (const name of ['a.deb', 'b.deb', 'c.tmp']) writeFileSync(join(source, 'pool', name), 'data');
symlinkSync('pool', join(source, 'latest'));

const LAGGING: Event = { type: 'scan', files: 1, directories: 1, symlinks: 0, bytes: 4, done: false };

test('the total is known before the import gets there, and its own count does not show meanwhile', async () => {
  const events: Event[] = [];
  let counting: CountAhead | undefined;
  await new Promise<void>((resolve) => {
    counting = countAhead({ source, filters: ['- *.tmp'], copyLinks: false }, (event) => {
      events.push(event);
      if (event.type === 'scan' && event.done) resolve();
    });
    counting.emit(LAGGING);
  });
  assert.deepEqual(events, [LAGGING, { type: 'scan', files: 2, directories: 2, symlinks: 1, bytes: 8, done: true }]);
  counting?.emit(LAGGING);
  counting?.emit({ ...LAGGING, done: true } as Event);
  counting?.emit({ type: 'import', files: 1, bytes: 4, unchanged: 0 });
  assert.deepEqual(
    events.slice(2).map(({ type }) => type),
    ['scan', 'import'],
    'only the final total of the import passes',
  );
  await counting?.stop();
});

test('a run that is over soon counts nothing', async () => {
  const events: Event[] = [];
  const counting = countAhead({ source, filters: [], copyLinks: false }, (event) => events.push(event));
  await counting.stop();
  counting.emit(LAGGING);
  assert.deepEqual(events, [LAGGING]);
});
