/** Two runs on repositories of one home at the same time: docs/locks.md. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { Random } from '../testing/campaign/random.ts';
import { onlyInAll } from '../testing/depth.ts';
import { BIN, Program } from '../testing/program.ts';

const FAULT = new URL('../testing/fault.js', import.meta.url).href;
const ROUNDS = Number(process.env.SHARDCTL_TWO_RUNS_ROUNDS ?? 4);
const SEED = Number(process.env.SHARDCTL_TWO_RUNS_SEED ?? 1);

let program: Program;
beforeEach(() => {
  program = new Program();
  for (const peer of ['one', 'two']) program.succeeds('peers', 'add', 'local', program.path(peer));
  program.succeeds('config', 'replication', '2');
});
afterEach(() => program.dispose());

function write(path: string, bytes: Buffer | string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
}

test('while an `add` takes long, another repository is updated, and `prune` says who holds what; nothing of either is lost when it is killed', {
  skip: onlyInAll(),
}, async () => {
  const random = new Random(SEED);
  const [small, big] = [program.path('small'), program.path('big')];
  write(join(small, 'a'), 'first');
  for (let i = 0; i < 8; i++) write(join(big, `${i}`), random.bytes(300_000));
  program.succeeds('add', small);
  const adding = program.start('add', big, '--json', '--shard-size', '256K', '--bwlimit', '200K');
  for await (const line of createInterface({ input: adding.stdout as NodeJS.ReadableStream })) if (line.includes('"placed"')) break;

  write(join(small, 'b'), 'second');
  program.succeeds('update', 'small');
  program.succeeds('update', '--all');
  program.succeeds('tag', 'small@2', 'tested');
  program.succeeds('verify', 'small', '--read-data');
  assert.equal(adding.exitCode, null, 'it goes on all the while');
  const who = new RegExp(`^shardctl: repository big is locked by \`shardctl add .*\`, pid ${adding.pid}, since .*--lock-wait`);
  program.fails(41, who, 'prune');
  program.fails(41, who, 'rm', 'small');
  program.fails(41, who, 'add', big);
  adding.kill('SIGKILL');
  await once(adding, 'exit');

  program.succeeds('prune');
  assert.deepEqual(readdirSync(join(program.home, 'spool')), [], 'what it has left');
  program.succeeds('add', big);
  program.succeeds('verify', '--read-data');
});

/** Runs a command, which is killed before its `nth` write. @returns its exit code; null when it was killed */
async function runKilled(nth: number, ...argv: string[]): Promise<{ code: number | null; stderr: string }> {
  const env = { ...process.env, SHARDCTL_HOME: program.home, ...(nth > 0 ? { SHARDCTL_FAULT: `kill:${nth}` } : {}) };
  const child = spawn(process.execPath, [...(nth > 0 ? ['--import', FAULT] : []), BIN, ...argv], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

test('two repositories with much in common are updated at once, and one run is killed anywhere: the other commits, and every head is whole', {
  skip: onlyInAll(),
}, async (t) => {
  t.diagnostic(`seed ${SEED}, ${ROUNDS} rounds`);
  const random = new Random(SEED);
  const names = ['left', 'right'] as const;
  const args = ['--shard-size', '128K'];
  for (const name of names) {
    write(program.path(name, 'own'), name);
    program.succeeds('add', program.path(name));
  }
  const trees = new Map<string, string>();
  for (let round = 1; round <= ROUNDS; round++) {
    // The same in both, so that they make the same shards at the same time; and something of their own.
    const common = Array.from({ length: 3 }, () => random.bytes(70_000));
    for (const name of names) {
      for (const [at, bytes] of common.entries()) write(program.path(name, `${round}-${at}`), bytes);
      write(program.path(name, 'own'), `${name} ${round}`);
    }
    const killed = random.below(3);
    const ends = await Promise.all(
      names.map((name, at) => runKilled(at === killed ? 1 + random.below(90) : 0, 'update', name, ...args, '--lock-wait', '60')),
    );
    for (const [at, { code, stderr }] of ends.entries())
      assert.ok(code === 0 || (at === killed && code === null), `round ${round}, ${names[at]}: ${code}, ${stderr}`);
    program.succeeds('verify');
    for (const name of names) {
      program.succeeds('update', name, ...args);
      trees.set(name, program.head(name).tree);
    }
    if (round % 3 === 0) program.succeeds('prune', '--max-unused', '0');
    program.succeeds('verify', '--read-data');
    assert.equal(program.run('repair', '--dry-run').code, 0, `round ${round}: replicas are missing`);
  }
  assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
  for (const name of names) {
    program.succeeds('get', name, '-o', program.path(`${name}-again`));
    for (const file of readdirSync(program.path(name)))
      assert.deepEqual(readFileSync(program.path(`${name}-again`, file)), readFileSync(program.path(name, file)));
  }
});

test('two adds at once keep together to the capacity of a peer', { skip: onlyInAll() }, async () => {
  const random = new Random(SEED);
  const capacity = 40 << 20;
  program.succeeds('config', 'replication', '1');
  program.succeeds('peers', 'set', 'one', '--capacity', String(capacity));
  const names = ['left', 'right'];
  for (const name of names) for (let i = 0; i < 26; i++) write(program.path(name, String(i)), random.bytes(1 << 20));
  const argv = (name: string) => ['add', program.path(name), '--shard-size', '1M', '--allocate-by', 'pinned-to:one'];
  const ends = await Promise.all(names.map((name) => runKilled(0, ...argv(name))));
  assert.ok(
    ends.some(({ code }) => code === 43),
    ends.map(({ stderr }) => stderr).join(''),
  );
  const shards = program.path('one', 'shards');
  const cars = readdirSync(shards, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.car'));
  const used = cars.reduce((sum, name) => sum + statSync(join(shards, name)).size, 0);
  assert.ok(used <= capacity, `${used} bytes`);
});
