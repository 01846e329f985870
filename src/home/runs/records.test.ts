import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  dropRecords,
  failureOf,
  forgetFailure,
  maintenanceRecord,
  recordFailure,
  recordMaintenance,
  recordUpdate,
  renameRecords,
  updateRecords,
} from './records.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-records-'));
after(() => rmSync(scratch, { recursive: true }));

const run = (number: number) => ({ ended: '2026-11-25T12:00:00.000Z', seconds: 1, exitCode: 0, number });
const fresh = () => mkdtempSync(join(scratch, 'runs-'));

test('the newest 200 runs of a repository are kept, in their order', () => {
  const runs = fresh();
  for (let number = 1; number <= 203; number += 1) recordUpdate(runs, 'a/b?', run(number));
  const records = updateRecords(runs, 'a/b?');
  assert.deepEqual([records.length, records[0]?.number, records.at(-1)?.number], [200, 4, 203]);
  assert.deepEqual(updateRecords(runs, 'other'), []);
});

test('a failure is forgotten by itself, and follows the repository to its new name', () => {
  const runs = fresh();
  recordUpdate(runs, 'old', run(1));
  recordFailure(runs, 'old', { ...run(2), exitCode: 40 });
  recordUpdate(runs, 'new', run(9));
  renameRecords(runs, 'old', 'new');
  assert.equal(failureOf(runs, 'new')?.exitCode, 40);
  assert.deepEqual(
    [updateRecords(runs, 'new').length, updateRecords(runs, 'old').length, updateRecords(runs, 'new')[0]?.number],
    [1, 0, 1],
  );
  forgetFailure(runs, 'new');
  assert.equal(failureOf(runs, 'new'), undefined);
  dropRecords(runs, 'new');
  assert.deepEqual(updateRecords(runs, 'new'), []);
});

test('no two repositories share a file, whatever they are called', () => {
  const runs = fresh();
  recordFailure(runs, 'a', { ...run(1), exitCode: 42 });
  recordUpdate(runs, 'a.failed', run(2));
  recordUpdate(runs, '../verify', run(3));
  assert.deepEqual(updateRecords(runs, 'a'), []);
  assert.equal(maintenanceRecord(runs, 'verify'), undefined);
});

test('a file that is no record counts as none, and a place that cannot be written is no error', () => {
  const runs = fresh();
  recordMaintenance(runs, 'verify', { ...run(1), figures: { verifyDamaged: 2 } });
  assert.equal(maintenanceRecord(runs, 'verify')?.figures.verifyDamaged, 2);
  for (const text of ['', '[]', '{"ended":"yesterday","seconds":1,"exitCode":0}', '{"ended":']) {
    writeFileSync(join(runs, 'verify.json'), text);
    assert.equal(maintenanceRecord(runs, 'verify'), undefined);
  }
  recordMaintenance(join(runs, 'verify.json'), 'prune', { ...run(1), figures: {} });
  assert.equal(maintenanceRecord(join(runs, 'verify.json'), 'prune'), undefined);
});
