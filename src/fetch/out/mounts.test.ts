import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountsIn } from '../../core/mounts.ts';
import { OutMounts } from './mounts.ts';

test('mount points in OUT are found whatever their names are, and those beside it are not', () => {
  const line = (point: string) => `36 35 98:0 / ${point} rw,noatime master:1 - ext3 /dev/root rw`;
  const list = ['/', '/srv', '/srv/out', '/srv/out/a', '/srv/out/with\\040space/b\\134c', '/srv/outer/x'].map(line).join('\n');
  const all = mountsIn(list);
  assert.deepEqual([...new OutMounts('/srv/out', all).points], ['a', 'with space/b\\c']);
  assert.deepEqual([...new OutMounts('/', all).points].slice(0, 2), ['srv', 'srv/out']);
});
