import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type HomePaths, homePaths } from './home.ts';
import { identify, readIdentity, rememberMarked } from './identity.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-identity-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function at(name: string): HomePaths {
  return homePaths(join(dir, name));
}

async function newHome(name: string, host = 'here') {
  mkdirSync(join(dir, name));
  return (await identify(at(name), host)).identity;
}

test('a home gets an ID once, and keeps it and what it remembers', async () => {
  const { id } = await newHome('home');
  assert.match(id, /^[0-9a-f]{12}$/);
  await rememberMarked(at('home'), (await identify(at('home'), 'here')).identity, ['disk1']);
  const before = readFileSync(at('home').identity);
  const { identity, came } = await identify(at('home'), 'here');
  assert.deepEqual([identity.id, identity.marked, came], [id, ['disk1'], 'same']);
  assert.deepEqual(readFileSync(at('home').identity), before);
});

test('a copy of a home that is still there is another home, and has marked nothing', async () => {
  const original = await rememberMarked(at('home'), await newHome('home'), ['disk1']);
  cpSync(join(dir, 'home'), join(dir, 'copy'), { recursive: true });
  const { identity, came } = await identify(at('copy'), 'here');
  assert.equal(came, 'copied');
  assert.notEqual(identity.id, original.id);
  assert.deepEqual([identity.marked, identity.copyOf?.id, identity.copyOf?.path], [[], original.id, original.path]);
  assert.equal((await identify(at('home'), 'here')).identity.id, original.id);
  assert.equal((await identify(at('copy'), 'here')).came, 'same');
});

test('a home that was renamed, or whose machine was, is the same home', async () => {
  const { id } = await newHome('home');
  renameSync(join(dir, 'home'), join(dir, 'elsewhere'));
  assert.deepEqual([(await identify(at('elsewhere'), 'here')).came, readIdentity(at('elsewhere'))?.id], ['moved', id]);
  assert.deepEqual([(await identify(at('elsewhere'), 'there')).came, readIdentity(at('elsewhere'))?.id], ['moved', id]);
});

test('a copy that outlives its original takes its place; one on another machine does not', async () => {
  const { id } = await newHome('home');
  cpSync(join(dir, 'home'), join(dir, 'copy'), { recursive: true });
  cpSync(join(dir, 'home'), join(dir, 'far'), { recursive: true });
  assert.equal((await identify(at('far'), 'there')).came, 'copied');
  rmSync(join(dir, 'home'), { recursive: true });
  assert.deepEqual([(await identify(at('copy'), 'here')).came, readIdentity(at('copy'))?.id], ['moved', id]);
});

test('a changed bit in the ID makes no other home of it: what cannot be what was written counts as nothing', async () => {
  const { id } = await newHome('home');
  const text = readFileSync(at('home').identity, 'utf8');
  writeFileSync(at('home').identity, text.replace(id, `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`));
  assert.equal(readIdentity(at('home')), undefined);
  const { identity, came } = await identify(at('home'), 'here');
  assert.equal(came, 'new');
  assert.notEqual(identity.id, id);
});
