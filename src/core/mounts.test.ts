import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountsIn, spotOf } from './mounts.ts';

const line = (id: number, parent: number, device: string, root: string, point: string) =>
  `${id} ${parent} ${device} ${root} ${point} rw,noatime master:1 - ext4 /dev/x rw`;

test('a bind mount shows the spots of what it was made of, and of two mounts that overlap the one that is seen counts', () => {
  const all = mountsIn(
    [
      line(20, 1, '8:1', '/', '/'),
      line(21, 20, '8:1', '/home/x/peers', '/b'),
      line(22, 20, '8:2', '/', '/srv'),
      line(23, 22, '8:1', '/with\\040space', '/srv/a\\040b'),
      // Below it is /b/deep of before, which nobody sees any more, and on top of it one more.
      line(24, 20, '0:5', '/', '/old/deep'),
      line(25, 20, '8:3', '/', '/old'),
      line(26, 25, '8:4', '/sub', '/old'),
      '',
    ].join('\n'),
  );
  const spots = ['/', '/home/x', '/b', '/b/disk/y', '/bc', '/srv', '/srv/z', '/srv/a b/c', '/old/deep/f'];
  assert.deepEqual(
    spots.map((path) => {
      const { device, path: its } = spotOf(path, all) ?? {};
      return `${device} ${its}`;
    }),
    [
      '8:1 /',
      '8:1 /home/x',
      '8:1 /home/x/peers',
      '8:1 /home/x/peers/disk/y',
      '8:1 /bc',
      '8:2 /',
      '8:2 /z',
      '8:1 /with space/c',
      '8:4 /sub/deep/f',
    ],
  );
  assert.equal(spotOf('/srv', []), undefined);
});
