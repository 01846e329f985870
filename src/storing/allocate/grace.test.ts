import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../../core/events.ts';
import { Grace, lacking } from './grace.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-grace-'));
after(() => rmSync(scratch, { recursive: true }));

const NAMES = ['a', 'b', 'c', 'd', 'e'];
/** What may be with a peer, beside whether it should have the shard. */
const peer = fc.record({ state: fc.constantFrom('answers', 'waited', 'gone-for-long'), drained: fc.boolean(), holds: fc.boolean() });

test('a shard lacks what is asked for, less what is or will be there; and nothing that only peers that are waited for could take', () => {
  fc.assert(
    fc.property(fc.array(peer, { maxLength: NAMES.length }), fc.integer({ min: 1, max: 5 }), (states, least) => {
      const all = states.map((state, at) => ({ name: NAMES[at] as string, ...state }));
      const where = (wanted: (it: (typeof all)[number]) => boolean) => all.filter(wanted).map(({ name }) => name);
      const holders = where(({ state, holds }) => holds && state === 'answers');
      const silentHolders = where(({ state, holds }) => holds && state !== 'answers');
      const until = (name: string) => (all.some((it) => it.name === name && it.state === 'waited') ? 1 : undefined);
      const known = {
        peers: new Map(all.map((it) => [it.name, it])),
        silent: new Set(where(({ state }) => state !== 'answers')),
        grace: { until },
      };
      const there = where(({ state, holds }) => holds && state !== 'gone-for-long').length;
      const fresh = where(({ state, holds, drained }) => !holds && !drained && state === 'answers').length;
      const later = where(({ state, holds, drained }) => state === 'waited' && (holds || !drained)).length;
      const canBeMade = fresh > 0;
      const comesLater = holders.length + fresh + later >= least;
      const isExcused = holders.length > 0 && !canBeMade && comesLater;
      const expected = there >= least || isExcused ? 0 : least - there;
      assert.equal(lacking(known, { least, allocateBy: ['freespace'], holders, silentHolders }), expected);
    }),
  );
});

test('a peer that the rules leave out excuses nothing', () => {
  const peers = new Map(['a', 'b'].map((name) => [name, { name }]));
  const known = { peers, silent: new Set(['b']), grace: { until: () => 1 } };
  const stand = { least: 2, holders: ['a'], silentHolders: [] };
  assert.equal(lacking(known, { ...stand, allocateBy: ['freespace'] }), 0);
  assert.equal(lacking(known, { ...stand, allocateBy: ['pinned-to:a'] }), 1);
});

test('a silence is known when an earlier run has told of it, and its end is told by one run', () => {
  const runs = mkdtempSync(join(scratch, 'runs-'));
  const back: Event[] = [];
  const at = (now: number, silent: readonly string[], { dryRun = false, dies = false } = {}) => {
    const grace = new Grace({ ms: 100, runs, now: () => now, emit: (event) => void back.push(event), dryRun });
    for (let twice = 0; twice < 2; twice++) grace.note({ peers: ['a', 'b'], silent: new Set(silent) });
    if (!dies) grace.saveTold();
    return [grace.until('b'), grace.isKnown('b')];
  };
  assert.deepEqual(at(1000, ['b']), [1100, false]);
  assert.deepEqual(at(1050, ['b']), [1100, false], 'nothing was told while it was waited for');
  assert.deepEqual(at(1100, ['b'], { dryRun: true }), [undefined, false]);
  assert.deepEqual(at(1100, ['b'], { dies: true }), [undefined, false], 'a dry run before it has noted nothing');
  assert.deepEqual(at(1100, ['b']), [undefined, false], 'a run before it has died, and told nothing');
  assert.deepEqual(at(1200, ['b']), [undefined, true]);
  at(1300, [], { dryRun: true });
  assert.deepEqual(back, []);
  const told = { type: 'back', peer: 'b', since: new Date(1000).toISOString() };
  at(1300, [], { dies: true });
  assert.deepEqual(back.splice(0), [told]);
  at(1350, []);
  assert.deepEqual(back.splice(0), [told], 'a run before it has died, and told nothing');
  at(1400, []);
  assert.deepEqual(back, []);
});

test('a peer that was heard by a run that died before it told of that is waited for anew, and its next silence is news', () => {
  const runs = mkdtempSync(join(scratch, 'runs-'));
  const events: Event[] = [];
  const at = (now: number, silent: readonly string[], unasked: readonly string[] = []) => {
    const grace = new Grace({ ms: 100, runs, now: () => now, emit: (event) => void events.push(event) });
    grace.note({ peers: ['a', 'b'], silent: new Set(silent), unasked: new Set(unasked) });
    return grace;
  };
  at(1000, ['b']).saveTold();
  at(1200, ['b']).saveTold();
  at(1300, []);
  const again = at(1400, ['b']);
  assert.deepEqual([again.until('b'), again.isKnown('b'), again.overdue], [1500, false, []]);
  again.saveTold();
  at(1600, ['b']).saveTold();
  assert.equal(at(1650, ['b']).isKnown('b'), true);
  at(1700, []);
  events.length = 0;
  const unasked = at(1800, [], ['b']);
  assert.deepEqual([unasked.isWaiting, unasked.overdue, events.map(({ type }) => type)], [false, [], ['back']]);
});
