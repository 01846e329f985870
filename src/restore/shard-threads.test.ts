/** Jobs of shards that are files, and of shards that daemons send, in any order: each is done once, by whichever thread. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { makeBlocks, makeShard, type TestShard } from '../testing/shards.ts';
import { StreamedShards } from '../testing/streamed-shards.ts';
import { type SharedState, shardJob, type WorkerMessage } from './shard-job.ts';
import type { ShardStream } from './shard-stream.ts';
import { ShardThreads } from './shard-threads.ts';
import { IS_RAW, WantedFiles } from './wanted-files.ts';

const SHARDS = 12;
const FILES = 20;
const PIECE_BYTES = 10_000;

function sharedState(): SharedState {
  return {
    lacking: new Int32Array(new SharedArrayBuffer(FILES * Int32Array.BYTES_PER_ELEMENT)),
    written: new Uint8Array(new SharedArrayBuffer(FILES)),
    over: new Uint8Array(new SharedArrayBuffer(FILES)),
    stop: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
  };
}

/** As a daemon does: in pieces that end in the middle of a block. @returns a URL, behind which comes the number of a shard */
async function served(t: TestContext, shards: readonly TestShard[]): Promise<string> {
  const server = createServer(async (request, response) => {
    const file = Buffer.concat(shards[Number(request.url?.slice(1))]?.data ?? []);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const part = file.subarray(Number(from), Number(to) + 1);
    response.writeHead(206);
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      response.write(part.subarray(at, at + PIECE_BYTES));
      await immediate();
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const [name, isAfar] of [
  ['of files', () => false],
  // What two cores, or more, take before they know: two or four jobs for threads. The main thread may find that out by its first one.
  ['of daemons, but for two files', (shard: number) => shard >= 2],
  ['of daemons, but for four files', (shard: number) => shard >= 4],
  ['of daemons and of files by turns', (shard: number) => shard % 2 === 0],
] as const) {
  test(`shards ${name}: each job is done once, told to whom it is for, and a job that cannot be made holds up no other`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-threads-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const all = Array.from({ length: SHARDS }, (_, n) => makeShard(dir, makeBlocks(FILES, 3000, n + 1)));
    const contents = new StreamedShards(all);
    const url = await served(t, all);
    const threads = new ShardThreads({ overwrite: false, specialBits: false }, undefined);
    t.after(() => threads.close());

    const heard = all.map(async ({ cid, carPath }, n) => {
      const out = join(dir, `out${n}`);
      mkdirSync(out);
      const wanted = new WantedFiles(FILES);
      for (let file = 0; file < FILES; file++) wanted.addPlain(out, String(file), { shard: 0, ordinal: file }, 1, IS_RAW);
      const afar: ShardStream = { form: 'file', url: `${url}/${n}`, method: 'GET', headers: {}, range: 'header' };
      const stream: ShardStream = isAfar(n) ? afar : { form: 'car', path: carPath };
      const told: WorkerMessage[] = [];
      const make = async (id: number) => {
        if (n % 5 === 4) throw new Error(`no job ${n}`);
        const uses = Array.from({ length: FILES }, (_, use) => use);
        return shardJob(id, wanted, uses, cid, await contents.contents(cid), [stream], sharedState(), undefined);
      };
      await threads.submit(make, (message) => told.push(message));
      return told;
    });

    for (const [n, result] of (await Promise.allSettled(heard)).entries()) {
      if (n % 5 === 4) {
        assert.equal(result.status === 'rejected' && (result.reason as Error).message, `no job ${n}`);
        continue;
      }
      assert.ok(result.status === 'fulfilled', `job ${n} is done`);
      const done = result.value.filter(({ type }) => type === 'done').map((message) => ('files' in message ? message.files : 0));
      assert.equal(
        done.reduce((sum, files) => sum + files, 0),
        FILES,
      );
      assert.deepEqual(
        result.value.filter(({ type }) => type !== 'done' && type !== 'warning').map(({ type }) => type),
        ['end'],
      );
      const out = join(dir, `out${n}`);
      assert.equal(readdirSync(out).length, FILES);
      for (const [file, block] of (all[n]?.data ?? []).entries())
        assert.ok(readFileSync(join(out, String(file))).equals(block), `file ${file} of job ${n}`);
    }
  });
}

test('jobs that this thread is given while it does one: each has its own blocks, and is told of its own files', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-threads-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const all = Array.from({ length: 4 }, (_, n) => makeShard(dir, makeBlocks(FILES, 3000, n + 1)));
  const contents = new StreamedShards(all);
  const url = await served(t, all);
  const threads = new ShardThreads({ overwrite: false, specialBits: false }, undefined);
  t.after(() => threads.close());
  const every = Array.from({ length: FILES }, (_, use) => use);

  const heard = all.map(async ({ cid }, n) => {
    const out = join(dir, `out${n}`);
    // Where there is no such directory, each file fails.
    if (n !== 2) mkdirSync(out);
    const wanted = new WantedFiles(FILES);
    for (const file of every) wanted.addPlain(out, String(file), { shard: 0, ordinal: file }, 1, IS_RAW);
    const stream: ShardStream = { form: 'file', url: `${url}/${n}`, method: 'GET', headers: {}, range: 'header' };
    const told: WorkerMessage[] = [];
    const make = async (id: number) => shardJob(id, wanted, every, cid, await contents.contents(cid), [stream], sharedState(), undefined);
    await threads.doHere(make, (message) => told.push(message));
    return told;
  });

  for (const [n, told] of (await Promise.all(heard)).entries()) {
    assert.deepEqual(
      told.flatMap((message) => (message.type === 'end' ? message.trouble : [])),
      [],
    );
    assert.equal(told.filter(({ type }) => type === 'failed').length, n === 2 ? FILES : 0);
    for (const [file, block] of n === 2 ? [] : (all[n]?.data ?? []).entries())
      assert.ok(readFileSync(join(dir, `out${n}`, String(file))).equals(block), `file ${file} of job ${n}`);
  }
});
