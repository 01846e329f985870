import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeTogether } from './free-together.ts';

test('a disk counts once however many peers lie on it, and a peer without a disk of this machine for itself', () => {
  const disk = { id: '7', freeBytes: 100 };
  const other = { id: '8', freeBytes: 30 };
  const metrics = [{ freeBytes: 100, disk }, { freeBytes: 100, disk }, { freeBytes: 30, disk: other }, { freeBytes: 5 }, undefined];
  assert.deepEqual(freeTogether(metrics), { bytes: 135, sharedDisks: 1 });
});

test('peers on one disk can take no more than their capacities allow', () => {
  const disk = { id: '7', freeBytes: 100 };
  const peers = (...free: number[]) => free.map((freeBytes) => ({ freeBytes, disk }));
  assert.equal(freeTogether(peers(20, 30)).bytes, 50);
  assert.equal(freeTogether(peers(20, 90)).bytes, 100);
});
