/** Followers as whole programs: in front of a `serve`, and with a stock Kubo each, of which two die. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { Program } from '../testing/program.ts';
import { ServeProcess } from '../testing/serve-process.ts';
import { makeBlocks } from '../testing/shards.ts';

interface FollowedLine {
  readonly type: string;
  readonly held: number;
  readonly taken: number;
  readonly dropped: number;
  readonly shards: number;
  readonly rarest: number;
}

let program: Program;
let origin: ServeProcess;
beforeEach(async () => {
  program = new Program();
  mkdirSync(program.path('source'));
  for (const [at, block] of makeBlocks(40, 16).entries())
    writeFileSync(program.path('source', `file ${at}`), Buffer.concat([block, Buffer.alloc(60_000, `content ${at} `)]));
  program.succeeds('add', 'source', '--name', 'demo', '--shard-size', '256KiB', '-q');
  origin = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
});
afterEach(async () => {
  await origin.stop();
  program.dispose();
});

function followedIn(lines: readonly string[]): FollowedLine {
  const found = lines.map((line) => JSON.parse(line) as FollowedLine).find(({ type }) => type === 'followed');
  assert.ok(found, lines.join('\n'));
  return found;
}

async function pinsOf({ url }: KuboDaemon): Promise<string[]> {
  const { Keys: keys = {} } = (await (await fetch(`${url}/api/v0/pin/ls?type=recursive`, { method: 'POST' })).json()) as {
    Keys?: Record<string, unknown>;
  };
  return Object.keys(keys);
}

const cidsIn = (dir: string) =>
  (readdirSync(join(dir, 'shards'), { recursive: true }) as string[]).flatMap((name) => /(bafybei\w+)\.car$/.exec(name)?.[1] ?? []);

suite('follow', () => {
  test('takes a part, which its serve gives to the next follower; that one takes what the first has not', async () => {
    const src = `${origin.url}/demo`;
    const once = ['--once', '--max-bytes', '1200kB', '--json'];
    program.fails(2, /--into/, 'follow', src, '--once');
    const planned = followedIn(program.succeeds('follow', src, '--into', './one', '--home', 'home1', ...once, '-n').lines);
    assert.ok(planned.taken > 0 && planned.held === 0);
    assert.deepEqual(
      readdirSync(program.dir).filter((name) => /^(one|home1)$/.test(name)),
      [],
    );

    const first = followedIn(program.succeeds('follow', src, '--into', './one', '--home', 'home1', ...once).lines);
    assert.ok(first.held >= 3 && first.held < first.shards, `${first.held} of ${first.shards}`);
    const volunteer = await ServeProcess.start(
      { start: (...argv: string[]) => program.start(...argv, '--home', 'home1') } as Program,
      '--listen',
      '127.0.0.1:0',
    );
    try {
      for (const cid of cidsIn(program.path('one'))) {
        const answer = await fetch(`${volunteer.url}/ipfs/${cid}`);
        assert.equal(answer.status, 200);
        await answer.arrayBuffer();
        assert.match(await (await fetch(`${volunteer.url}/routing/v1/providers/${cid}`)).text(), /"ID"/);
      }
      const via = ['--via', volunteer.url];
      const second = followedIn(program.succeeds('follow', src, ...via, '--into', './two', '--home', 'home2', ...once).lines);
      assert.ok(second.held >= 3);
      const isHeldByFirst = new Set(cidsIn(program.path('one')));
      // The catalogue alone is with both.
      assert.equal(cidsIn(program.path('two')).filter((cid) => isHeldByFirst.has(cid)).length, 1);
    } finally {
      await volunteer.stop();
    }
    program.fails(2, /follows a repository of others.*--home/, 'prune', '--home', 'home1');
    program.fails(2, /repositories of its own.*--home/, 'follow', src, '--into', './three', '--once');
  });

  test('that waits for the next look ends in good order when it is asked to', { skip: onlyInAll() }, async () => {
    const child = program.start('follow', `${origin.url}/demo`, '--into', './one', '--home', 'home1', '--every', '1h', '--json');
    const ended = once(child, 'exit');
    for await (const text of child.stdout as AsyncIterable<Buffer>) if (text.includes('"followed"')) break;
    child.kill('SIGTERM');
    assert.deepEqual((await ended)[0], 0);
    const again = followedIn(
      program.succeeds('follow', `${origin.url}/demo`, '--into', './one', '--home', 'home1', '--once', '--json').lines,
    );
    assert.deepEqual([again.taken, again.dropped, again.held], [0, 0, again.shards]);
  });

  test('that is killed at any moment leaves nothing that the next run does not put right', { skip: onlyInAll(), timeout: 120_000 }, () => {
    const argv = ['follow', `${origin.url}/demo`, '--into', './one', '--home', 'home1', '--once', '--json'];
    let kills = 0;
    // Each run comes a little further than the one before, as what was taken stays.
    for (let at = 3; at < 400 && kills < 6; at = Math.ceil(at * 1.8)) {
      const { code } = program.runWithFault(`kill:${at}`, ...argv);
      if (code === 0) break;
      kills++;
    }
    assert.ok(kills >= 3, `killed ${kills} times`);
    const { held, shards } = followedIn(program.succeeds(...argv).lines);
    assert.equal(held, shards);
    // With the card and the catalogue.
    assert.equal(new Set(cidsIn(program.path('one'))).size, shards + 2);
    assert.equal(cidsIn(program.path('one')).length, shards + 2);
    assert.deepEqual(readdirSync(program.path('home1', 'spool')), []);
    assert.deepEqual(readdirSync(program.path('one', 'tmp')), []);
  });

  test('on five stock Kubo that hold a part each: when two die, the others take what they alone held', {
    skip: onlyInAll(),
    timeout: 120_000,
  }, async (t) => {
    if (!requireKubo(t)) return;
    const daemons = await Promise.all(Array.from({ length: 5 }, (_, at) => KuboDaemon.start(program.path(`kubo${at}`))));
    try {
      const via = daemons.flatMap(({ gateway }) => ['--via', gateway]);
      const follow = (at: number) => {
        const { url } = daemons[at] as KuboDaemon;
        const room = ['--once', '--max-bytes', '1050kB', '--json'];
        return followedIn(program.succeeds('follow', `${origin.url}/demo`, ...via, '--into', url, '--home', `home${at}`, ...room).lines);
      };
      for (const at of daemons.keys()) assert.ok(follow(at).held >= 3);
      const shards = program
        .succeeds('status', '--shards', '--json')
        .lines.map((line) => JSON.parse(line) as { type: string; shard: number | null; cid: string })
        .filter(({ type, shard }) => type === 'shard-status' && shard !== null)
        .map(({ cid }) => cid);
      const lostOf = async (alive: readonly KuboDaemon[]) => {
        const pinned = new Set((await Promise.all(alive.map(pinsOf))).flat());
        return shards.filter((cid) => !pinned.has(cid));
      };
      assert.ok(shards.length >= 8);
      assert.deepEqual(await lostOf(daemons), []);
      // Each shard is with two of them or so: two that share one die.
      const pins = await Promise.all(daemons.map(pinsOf));
      const pairs = daemons.flatMap((one, at) => daemons.slice(at + 1).map((other) => [one, other]));
      let dead: readonly KuboDaemon[] = [];
      for (const pair of pairs) {
        const left = pins.filter((_, at) => !pair.includes(daemons[at] as KuboDaemon)).flat();
        if (shards.some((cid) => !left.includes(cid))) dead = pair;
      }
      assert.equal(dead.length, 2);
      const alive = daemons.filter((daemon) => !dead.includes(daemon));
      await Promise.all(dead.map((daemon) => daemon.stop('SIGKILL')));
      // Who may exchange a shard in a round is drawn by lot.
      for (let round = 0; round < 20 && (await lostOf(alive)).length > 0; round++)
        for (const daemon of alive) follow(daemons.indexOf(daemon));
      assert.deepEqual(await lostOf(alive), []);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
    }
  });
});
