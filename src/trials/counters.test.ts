/**
 * What runs may cost, in counts that are the same on every machine: bytes read and written, blocks, shards, messages between threads,
 * requests. Whoever makes a run cost more finds it here, and either mends it or raises the bound and says why.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Cost, measurer } from '../measure/measure.ts';
import { shardctl } from '../measure/tools.ts';
import { onlyInAll } from '../testing/depth.ts';
import { FaultProxy } from '../testing/fault-proxy.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { BIN } from '../testing/program.ts';

const KIB = 1024;
const FILES = 400;
const DIRECTORIES = 8;
const FILE_BYTES = 20 * KIB;
/** One file of a hundred, all in one directory, as packages change. */
const CHANGED = FILES / 100;

interface Counts {
  readonly newBlocks: number;
  readonly newBytes: number;
  readonly newShards: number;
  /** Over what a start of the program reads and writes. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly messages: number;
}

/**
 * The most that each run may take. Blocks and shards are what it takes; the others were 10.8 MB read and 13.0 MB written, 0.5 MB, 2.3 kB and
 * no message, 1.6 MB, 0.24 MB and none. Messages of an add go by the number of workers, and so by the machine: they are not held.
 */
const BOUNDS = {
  add: { newBlocks: 809, newBytes: 8_300_000, newShards: 8, readBytes: 12_500_000, writtenBytes: 15_000_000 },
  nothing: { newBlocks: 0, newBytes: 0, newShards: 0, readBytes: 1_000_000, writtenBytes: 8_000, messages: 0 },
  changed: { newBlocks: 10, newBytes: 90_000, newShards: 1, readBytes: 2_200_000, writtenBytes: 400_000, messages: 0 },
} satisfies Readonly<Record<string, Partial<Counts>>>;
/** Requests to one Kubo that gets 8 shards and a catalogue; they were 80, 4 and 24. */
const REQUESTS = { add: 88, nothing: 4, changed: 27 };

const skip = process.platform !== 'linux';
const never = new AbortController().signal;
const scratch = mkdtempSync(join(tmpdir(), 'shardctl-counters-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Those of the files with these numbers, the same each time. */
function write(tree: string, from: number, to: number, contentOf: (n: number) => Buffer): void {
  for (let n = from; n < to; n++) {
    const dir = join(tree, `pool${Math.floor((n * DIRECTORIES) / FILES)}`);
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `lib${String(n).padStart(4, '0')}.deb`);
    writeFileSync(file, contentOf(n));
    utimesSync(file, 1_700_000_000 + n, 1_700_000_000 + n);
  }
}

const full = (what: string) => (n: number) => Buffer.alloc(FILE_BYTES, `${what} ${n} `);
const tiny = (n: number) => Buffer.from(`${n}`);

describe('counters', { skip }, () => {
  const tree = join(scratch, 'tree');
  const messages = join(scratch, 'messages');
  const counted = ['--import', new URL('../testing/count-messages.js', import.meta.url).href] as const;
  const tool = shardctl([process.execPath, ...counted, BIN]);
  const measure = measurer({ env: { ...process.env, SHARDCTL_MESSAGES: messages }, kill: process.kill.bind(process) });
  let start: Cost;
  let added: Counts;

  async function run(argv: readonly [string, ...string[]]): Promise<Counts> {
    const log = join(scratch, 'log');
    writeFileSync(messages, '');
    const cost = await measure({ argv }, log, never);
    const { newBlocks = 0, newBytes = 0, newShards = 0 } = tool.said?.(readFileSync(log, 'utf8')) ?? {};
    return {
      ...{ newBlocks, newBytes, newShards },
      readBytes: cost.readBytes - start.readBytes,
      writtenBytes: cost.writtenBytes - start.writtenBytes,
      messages: statSync(messages).size,
    };
  }

  function within(what: keyof typeof BOUNDS, counts: Counts): void {
    for (const [name, most] of Object.entries(BOUNDS[what]) as [keyof Counts, number][])
      assert.ok(counts[name] <= most, `${what}: ${name} is ${counts[name]}, and may be ${most}`);
  }

  before(async () => {
    write(tree, 0, FILES, full('first'));
    start = await measure({ argv: [process.execPath, BIN, '--version'] }, join(scratch, 'log'), never);
    added = await run([...tool.first(tree, scratch).argv, '--shard-size', '1MiB']);
  });

  test('add, an update of nothing, and one of 1 % take no more than is stated', async () => {
    const again = tool.again(tree, scratch).argv;
    const nothing = await run(again);
    write(tree, 0, CHANGED, full('second'));
    const changed = await run(again);
    // So that a summary which nobody understands any more does not count as nothing.
    assert.deepEqual([added.newBlocks > FILES, added.newShards > 1], [true, true]);
    within('add', added);
    within('nothing', nothing);
    within('changed', changed);
  });

  test('an update of nothing reads no content, however much there is', async () => {
    const home = join(scratch, 'small');
    const small = join(home, 'tree');
    write(small, 0, FILES, tiny);
    await run(tool.first(small, home).argv);
    const [without, content] = [await run(tool.again(small, home).argv), await run(tool.again(tree, scratch).argv)];
    const more = content.readBytes - without.readBytes;
    assert.ok(more < FILE_BYTES, `${more} bytes more: not one file of ${FILE_BYTES} bytes may be read`);
  });

  test('a Kubo is asked no more often than is stated', { skip: onlyInAll() }, async (t) => {
    if (!requireKubo(t)) return;
    const daemon = await KuboDaemon.start(join(scratch, 'ipfs'));
    const proxy = await FaultProxy.start(daemon.url);
    try {
      const home = join(scratch, 'kubo');
      const at = (words: readonly string[]): [string, ...string[]] => [
        process.execPath,
        ...counted,
        BIN,
        ...words,
        '--home',
        join(home, 'home'),
      ];
      mkdirSync(home);
      await run(at(['peers', 'add', 'kubo', proxy.url, '--name', 'kubo']));
      const asked = async (argv: readonly [string, ...string[]]) => {
        const before = proxy.seen.length;
        await run(argv);
        return proxy.seen.length - before;
      };
      const added = await asked([...tool.first(tree, home).argv, '--shard-size', '1MiB']);
      const nothing = await asked(tool.again(tree, home).argv);
      write(tree, 0, CHANGED, full('third'));
      assert.ok(nothing > 0, 'all requests go through the proxy');
      const seen = { add: added, nothing, changed: await asked(tool.again(tree, home).argv) };
      for (const [what, most] of Object.entries(REQUESTS)) {
        const its = seen[what as keyof typeof seen];
        assert.ok(its <= most, `${what}: ${its} requests, and there may be ${most}`);
      }
    } finally {
      await proxy.stop();
      await daemon.stop();
    }
  });
});
