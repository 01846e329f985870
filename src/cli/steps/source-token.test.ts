import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseCommandLine } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { withToken } from './source-token.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-token-'));
  writeFileSync(join(dir, 'token'), 's/e%cret\n');
  writeFileSync(join(dir, 'lines'), 'debian secret\n');
});
after(() => rmSync(dir, { recursive: true, force: true }));

function contextOf(...argv: string[]): Pick<Context, 'args' | 'absolute'> {
  const parsed = parseCommandLine(['fetch', 'SRC', 'OUT', ...argv]);
  assert.ok(parsed.kind === 'run');
  return { args: parsed.args, absolute: (path) => join(dir, path) };
}

test('a token goes to the host that SRC names, and to no other', () => {
  const via = ['http://host:8080', 'http://host:9090', 'https://host:8080', 'http://other:8080', 'http://a:b@host:8080'];
  const given = withToken(contextOf('--token-file', 'token'), 'http://host:8080/debian@7', via);
  assert.equal(given.source, 'http://token:s%2Fe%25cret@host:8080/debian@7');
  assert.deepEqual(given.via, ['http://token:s%2Fe%25cret@host:8080/', ...via.slice(1)]);
});

test('where SRC names no host, the token goes to that of the first --via', () => {
  const given = withToken(contextOf('--token-file', 'token'), '/ipns/mirror.example', ['http://a', 'http://b', 'http://a/prefix']);
  assert.deepEqual(given.via, ['http://token:s%2Fe%25cret@a/', 'http://b', 'http://token:s%2Fe%25cret@a/prefix']);
  assert.equal(given.source, '/ipns/mirror.example');
});

test('a file that is not one token is refused', () => {
  for (const file of ['none', 'lines']) {
    assert.throws(() => withToken(contextOf('--token-file', file), 'http://host/debian', []), { code: 'USAGE', message: /none|lines/ });
  }
});
