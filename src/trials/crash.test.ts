/** The SQLite way: fail, or die at, the Nth write for N = 1, 2, … until a run is clean; after each, nothing may be lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll, sampled } from '../testing/depth.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

const CHILD = fileURLToPath(new URL('../testing/crash-child.js', import.meta.url));
const FAULT = new URL('../testing/fault.js', import.meta.url).href;
const PEERS = ['one', 'two'];
const OPTIONS = { shardBytes: 48 * 1024, replication: { min: 2, max: 2 } };

let dir: string;
let source: string;
/** A home with one snapshot of the tree before it was edited. */
let template: TestHome;
/** The root of an uninterrupted run over the edited tree. */
let expected: string;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-crash-'));
  source = writeTree(join(dir, 'source'), {
    a: Buffer.alloc(30_000, 'a'),
    b: { c: Buffer.alloc(30_000, 'c'), d: 'small', link: { link: 'c' } },
    e: { f: { g: Buffer.alloc(20_000, 'g') } },
  });
  template = await TestHome.create({ one: {}, two: {} });
  await template.add(source, OPTIONS);
  writeFileSync(join(source, 'a'), Buffer.alloc(40_000, 'A'));
  writeFileSync(join(source, 'b', 'new'), Buffer.alloc(35_000, 'n'));
  rmSync(join(source, 'e', 'f', 'g'));
  writeFileSync(join(source, 'e', 'h'), Buffer.alloc(25_000, 'h'));
  const fresh = await TestHome.create({ one: {}, two: {} });
  expected = (await fresh.add(source, OPTIONS)).summary.tree;
  fresh.remove();
});
after(() => {
  template.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs with the fault at write `n` on a copy of the template; false when the run was clean, so that there are no more. */
async function faultAt(kind: string, n: number): Promise<boolean> {
  const home = join(dir, `${kind}-${n}`);
  cpSync(template.dir, home, { recursive: true });
  const env = { ...process.env, SHARDCTL_FAULT: `${kind}:${n}` };
  const { status, signal, stderr } = spawnSync(process.execPath, ['--import', FAULT, CHILD, home, source], { env, encoding: 'utf8' });
  const what = `${kind} at write ${n}: ${stderr}`;
  assert.ok(signal === 'SIGKILL' || status === 0 || status === 43, what);
  const again = TestHome.at(home, PEERS);
  assert.deepEqual(await again.damage(), [], `${what}, before the rerun`);
  const { summary } = await again.add(source, OPTIONS);
  assert.equal(summary.tree, expected, what);
  assert.deepEqual(await again.damage(), [], `${what}, after the rerun`);
  assert.deepEqual(readdirSync(join(home, 'spool')), [], what);
  rmSync(home, { recursive: true });
  return status !== 0 || signal !== null;
}

for (const kind of ['kill', 'ENOSPC', 'EIO']) {
  test(`${kind} at any write: what was committed stays whole, and a rerun gives what an uninterrupted run gives`, {
    skip: kind !== 'kill' && onlyInAll(),
  }, async () => {
    let n = 1;
    let clean = 0;
    // A fault that the program gets over (a copy that is made elsewhere) is no end: only several clean runs in a row are.
    for (; clean < 3; n += sampled(29, 1)) clean = (await faultAt(kind, n)) ? 0 : clean + 1;
    assert.ok(n > 40, `only ${n} writes were tried`);
  });
}
