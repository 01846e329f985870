import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTokens, Tokens } from './tokens.ts';

const A = 'aaaaaaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbbbbbb';
const ALL = 'cccccccccccccccccccc';
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const namesOf = (tokens: Tokens, authorization?: string) => [...tokens.rightsOf(authorization).names].sort();

test('a token opens the names it stands beside, sent as apt, npm and pip send it', () => {
  const tokens = Tokens.of(`# who reads what\n\ndebian ${A}\n two words  ${A}\ndebian ${B}\n* ${ALL}\n`, 'tokens');
  for (const sent of [`Bearer ${A}`, `bearer ${A}`, basic('anyone', A), basic(A, ''), basic('', A)])
    assert.deepEqual(namesOf(tokens, sent), ['debian', 'two words'], sent);
  assert.deepEqual(namesOf(tokens, `Bearer ${B}`), ['debian']);
  assert.ok(tokens.rightsOf(`Bearer ${ALL}`).opensAll);
  assert.ok(tokens.isPrivate('debian') && tokens.isPrivate('two words') && !tokens.isPrivate('npm'));
});

test('nobody else is anybody', () => {
  const tokens = Tokens.of(`debian ${A}\n* ${ALL}`, 'tokens');
  const wrong = [
    undefined,
    '',
    A,
    'Bearer',
    'Bearer ',
    `Bearer ${A}x`,
    `Bearer ${A.slice(1)}`,
    `Digest ${A}`,
    'Basic',
    'Basic %%%',
    basic('', ''),
    basic(B, B),
  ];
  for (const sent of [...wrong, `Bearer ${A} ${A}`, 'Bearer *', 'Bearer debian', basic('debian', '')]) {
    const rights = tokens.rightsOf(sent);
    assert.ok(!rights.opensAll && rights.names.size === 0, sent);
  }
});

test('where no line has a name every repository is private, and without tokens none is', () => {
  const tokens = Tokens.of(`* ${ALL}`, 'tokens');
  assert.ok(tokens.isPrivate('debian'));
  assert.ok(!Tokens.NONE.isPrivate('debian') && !Tokens.NONE.rightsOf(`Bearer ${ALL}`).opensAll);
});

test('a line that is not NAME TOKEN is refused with its number, and never shown', () => {
  for (const bad of [A, 'debian short', `debian ${A}ä`, `debian "${A}"`, `debian:${A}`]) {
    assert.throws(
      () => Tokens.of(`# x\n${bad}\n`, '/etc/tokens'),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'BAD_CONFIG');
        assert.match(error.message, /^\/etc\/tokens:2 /);
        return !error.message.includes(A);
      },
    );
  }
  assert.throws(() => Tokens.of('# nothing\n', 'tokens'), { code: 'BAD_CONFIG' });
});

test('a file that others may read is refused, as is one that is not there', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tokens-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'tokens');
  assert.throws(() => readTokens(path), { code: 'BAD_CONFIG', message: /ENOENT/ });
  writeFileSync(path, `debian ${A}\n`);
  for (const mode of [0o604, 0o602, 0o644]) {
    chmodSync(path, mode);
    assert.throws(() => readTokens(path), { code: 'BAD_CONFIG', hint: /chmod o= / });
  }
  // A group may be that of the server, as of the credentials that systemd hands out.
  for (const mode of [0o600, 0o640, 0o400]) {
    chmodSync(path, mode);
    assert.deepEqual(namesOf(readTokens(path), `Bearer ${A}`), ['debian']);
  }
});
