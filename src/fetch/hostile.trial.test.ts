import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import { FETCH_DIRECTORY } from '../core/fetch-directory.ts';
import { loadLibc } from '../core/libc.ts';
import { profileNamed } from '../dag/cid-profile.ts';
import { contentOf } from '../gateway/content.ts';
import { GATEWAY_LIMITS } from '../gateway/failure.ts';
import { Gateways } from '../gateway/gateways.ts';
import { resolveSource } from '../gateway/source.ts';
import { CAR_HEADER_BYTES, SectionCursor } from '../shard/car.ts';
import { sampled } from '../testing/depth.ts';
import { treeState, writeHardTree } from '../testing/hard-tree.ts';
import { HostileGateway, type LieRule } from '../testing/hostile-gateway.ts';
import { LIES, NUISANCES, RANGE_LIES } from '../testing/hostile-gateway-lies.ts';
import { type BlockLookUp, truthOf } from '../testing/hostile-gateway-truth.ts';
import { honestSnapshot, hostileSnapshots } from '../testing/hostile-snapshots.ts';
import { Program } from '../testing/program.ts';
import { type FetchSummary, fetchTree } from './fetch.ts';
import { GatewayShards } from './gateway-shards.ts';
import { OutDirectory } from './out/out-directory.ts';
import { removeTree } from './out/removal.ts';

/** Short, so that silence and dripping end soon. */
const limits = { ...GATEWAY_LIMITS, silenceMs: 300, quietMs: 100, windowMs: 300, firstPauseMs: 10, longestPauseMs: 1500 };
const SECOND_MS = 1000;
/** No answer is held: what comes in on several streams, and the books of a small tree. */
const MOST_MEMORY = 300 * 1024 * 1024;

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-hostile-'));
const program = new Program();
let blocks: BlockLookUp;
let snapshot: string;
let source: string;

before(async () => {
  await loadLibc();
  source = await writeHardTree(join(scratch, 'source'));
  // Each row makes and removes a copy: 1,300 files took most of its time, and what a gateway can do to a file, it can do to one of thirty.
  for (const name of readdirSync(join(source, 'many')).slice(30)) unlinkSync(join(source, 'many', name));
  writeFileSync(join(source, 'large.bin'), Buffer.alloc(3_500_000, 'a large file '));
  program.succeeds('add', source, '--name', 'hard');
  blocks = blocksIn(program.dir);
  snapshot = program.head('hard').cid;
});

after(() => {
  program.dispose();
  removeTree(scratch);
});

/** Every block of the CARs below a directory. */
function blocksIn(directory: string): BlockLookUp {
  const found = new Map<string, Uint8Array>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.car'))) {
    const bytes = readFileSync(join(directory, name)).subarray(CAR_HEADER_BYTES);
    const cursor = new SectionCursor(bytes);
    while (cursor.next()) found.set(bytes.toString('hex', cursor.digestAt, cursor.dataAt), bytes.subarray(cursor.dataAt, cursor.end));
  }
  return (digest) => found.get(Buffer.from(digest).toString('hex'));
}

let outs = 0;

/** As the command does it. */
async function fetchFrom(urls: readonly string[], cid: string, out: string): Promise<FetchSummary> {
  const signal = AbortSignal.timeout(60 * SECOND_MS);
  const { root, path, gateways: addresses } = await resolveSource(cid, { via: urls, now: Date.now(), limits, signal });
  const gateways = new Gateways(addresses, { limits, signal });
  const directory = OutDirectory.open(out);
  try {
    const { tree, snapshot: found, shards } = await contentOf(gateways, root);
    const file = found?.file;
    const { summary } = await fetchTree({
      ...{ root: tree, path, out: directory, blocks: gateways, totals: undefined, emit: () => {}, signal },
      ...{
        excludes: () => false,
        filters: 'none',
        deletes: true,
        maxDelete: undefined,
        dryRun: false,
        itemize: false,
        specialBits: true,
        isOwn: false,
      },
      shards: new GatewayShards({ gateways, addresses, limits, shards, newestFirst: false, onTrouble: () => {} }),
      local: file === undefined ? undefined : { profile: profileNamed(file.profile), metadata: file.metadata },
    });
    return summary;
  } finally {
    directory.close();
    gateways.close();
  }
}

async function withGateways(
  rules: readonly (LieRule | undefined)[],
  lookUp: BlockLookUp,
  work: (urls: readonly string[], out: string) => Promise<void>,
): Promise<void> {
  const truth = truthOf(lookUp);
  const servers = await Promise.all(rules.map((rule) => HostileGateway.start({ truth, ...(rule === undefined ? {} : { rule }) })));
  const out = join(scratch, `out-${outs++}`);
  const memory = process.memoryUsage().rss;
  try {
    await work(
      servers.map(({ url }) => url),
      out,
    );
    assert.ok(process.memoryUsage().rss - memory < MOST_MEMORY);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    removeTree(out);
  }
}

function assertWhole(out: string): void {
  assert.deepEqual(treeState(out, true, [FETCH_DIRECTORY]), treeState(source));
}

/** There are 170 of them, and to wait is what most do: each fourth takes 45 s. */
const some = <T>(cases: readonly T[]): T[] => cases.filter((_, at) => at % sampled(1000, 4) === 0);

describe('one gateway alone', () => {
  for (const [name, lie] of some(Object.entries({ ...LIES, ...RANGE_LIES }))) {
    // The first answers are true, so that there is something to go wrong.
    for (const honest of [0, 12]) {
      test(`that ${name}${honest === 0 ? '' : ' after a while'} makes no wrong OUT, and comes to an end`, async () => {
        let asked = 0;
        await withGateways([() => (asked++ < honest ? undefined : lie)], blocks, async (urls, out) => {
          try {
            await fetchFrom(urls, snapshot, out);
          } catch (error) {
            assert.ok(error instanceof ShardctlError && error.code === 'TOO_FEW_PEERS', String((error as Error).stack));
            assert.deepEqual(existsSync(out) ? readdirSync(out).filter((entry) => entry !== FETCH_DIRECTORY) : [], []);
            return;
          }
          assertWhole(out);
        });
      });
    }
  }

  for (const [name, rule] of some(Object.entries(NUISANCES))) {
    test(`that ${name} gives all of the tree`, async () => {
      await withGateways([rule], blocks, async (urls, out) => {
        await fetchFrom(urls, snapshot, out);
        assertWhole(out);
      });
    });
  }
});

describe('an honest gateway beside one', () => {
  for (const [name, lie] of some(Object.entries({ ...LIES, ...RANGE_LIES }))) {
    test(`that ${name} gives all of the tree`, async () => {
      let asked = 0;
      await withGateways([() => (asked++ < 3 ? undefined : lie), undefined], blocks, async (urls, out) => {
        await fetchFrom(urls, snapshot, out);
        assertWhole(out);
      });
    });
  }
});

test('the snapshot of an honest stranger is fetched', async () => {
  const { cid, blocks: its } = honestSnapshot();
  await withGateways([undefined], its, async (urls, out) => {
    await fetchFrom(urls, cid, out);
    assert.deepEqual(readdirSync(out).sort(), [FETCH_DIRECTORY, 'hello']);
  });
});

describe('a snapshot in bad faith', () => {
  for (const { name, cid, blocks: its } of some([...hostileSnapshots()])) {
    test(`with ${name} is refused, or nothing but its honest part is in OUT`, async () => {
      await withGateways([undefined], its, async (urls, out) => {
        const outside = readdirSync(scratch);
        await fetchFrom(urls, cid, out).catch((error: unknown) => {
          assert.ok(error instanceof ShardctlError, String((error as Error).stack));
          const there = existsSync(out) ? readdirSync(out).filter((entry) => entry !== FETCH_DIRECTORY) : [];
          assert.deepEqual(there, []);
        });
        assert.deepEqual(
          readdirSync(scratch).filter((entry) => join(scratch, entry) !== out),
          outside.filter((entry) => join(scratch, entry) !== out),
        );
      });
    });
  }
});
