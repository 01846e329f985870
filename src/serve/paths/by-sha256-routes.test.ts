import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { PathMirror } from '../../testing/path-mirror.ts';

test('a file is found by its sha256: one of a single leaf at once, a larger one when it was read once or hashed in the background', async () => {
  const hashed = new PathMirror();
  try {
    const sha = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
    const [one, two, three] = ['small', Buffer.alloc(2_000_000, 'two'), Buffer.alloc(3_000_000, 'three')] as const;
    await hashed.commit('r', '2026-11-24T10:00:00.000Z', { one, two, three });
    const by = (hex: string, headers = {}) => hashed.app.inject({ url: `/by-sha256/${hex}`, headers });
    const small = await by(sha(one));
    assert.deepEqual([small.body, small.headers.etag], [one, `"${sha(one)}"`]);
    assert.equal((await by(sha(one).toUpperCase(), { 'if-none-match': `"${sha(one)}"` })).statusCode, 304);
    assert.equal((await by(sha(one), { range: 'bytes=1-2' })).body, 'ma');
    assert.deepEqual(
      [(await by(sha(''))).statusCode, (await by('xyz')).statusCode, (await by(`${sha(one)}/x`)).statusCode],
      [200, 400, 400],
    );
    // Nobody has asked for one that is not known: nothing is hashed on the way.
    await hashed.app.inject('/r/two');
    await hashed.allReleased();
    assert.equal(hashed.hashes.size, 0);
    const unknown = await by(sha(two));
    assert.deepEqual([unknown.statusCode, unknown.headers['retry-after']], [404, '60']);
    await hashed.app.inject('/r/three');
    assert.equal(Buffer.compare((await by(sha(three))).rawPayload, three), 0);
    while (hashed.hashes.size < 2) await new Promise(setImmediate);
    assert.equal(Buffer.compare((await by(sha(two))).rawPayload, two), 0);
    // Whoever has uploaded the bytes of the root as a file sees its block, and none of those below it.
    const leaf = sha(three.subarray(0, 2 ** 20));
    hashed.hidden.add(leaf);
    const below = await by(sha(three));
    assert.deepEqual([below.statusCode >= 400, below.body.includes('threethree')], [true, false]);
    hashed.hidden.add(sha(one));
    assert.equal((await by(sha(one))).statusCode, 404);
    const root = hashed.hashes.rootOf(Buffer.from(sha(two), 'hex'));
    hashed.hidden.add(Buffer.from(root?.digest ?? []).toString('hex'));
    assert.equal((await by(sha(two))).statusCode, 404);
    // A node of the tree is no file, though its hash is known here.
    assert.equal((await by(Buffer.from(root?.digest ?? []).toString('hex'))).statusCode, 404);
    await hashed.allReleased();
  } finally {
    await hashed.close();
  }
});
