/** Laws: what damage costs, and that repair never makes it worse. */
import assert from 'node:assert/strict';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { DamagedHome, harms } from '../testing/damaged-home.ts';
import { oneIn, sampled } from '../testing/depth.ts';

const sample = oneIn(6);

/** Cases of each law; more by hand. */
const RUNS = Number(process.env.DAMAGE_RUNS ?? sampled(1, 3));
const KINDS = [
  { layout: 'car', replicas: 1 },
  { layout: 'car', replicas: 2 },
  { layout: 'blockstore', replicas: 1 },
  { layout: 'blockstore', replicas: 2 },
] as const;

const templates: DamagedHome[] = [];
before(async () => {
  for (const { layout, replicas } of KINDS) templates.push(await DamagedHome.make(layout, ['one', 'two', 'three'], replicas));
  for (const { whole } of templates) assert.equal(whole.size, 20);
});
after(() => {
  for (const template of templates) {
    template.remove();
    rmSync(template.source, { recursive: true });
  }
});

/** Whatever can be read is right, and all of `least` can. */
async function assertReadable(it: DamagedHome, least: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const found = await it.readable();
  for (const [path, bytes] of found) if (it.whole.has(path)) assert.ok(bytes === it.whole.get(path), `${path} has wrong bytes`);
  for (const path of least) assert.ok(found.has(path), `${path} cannot be read`);
  return found;
}

/** What the source still has comes back with it; what only an older snapshot had is named for as long as that is kept. */
async function assertHealedByAdding(it: DamagedHome): Promise<void> {
  const head = (await it.add()).tree;
  assert.ok([...it.whole.keys()].some((path) => path.startsWith(head)));
  const { lost } = await it.repair();
  await assertReadable(
    it,
    [...it.whole.keys()].filter((path) => path.startsWith(head)),
  );
  for (const { snapshots } of lost) assert.ok(snapshots.includes('test@1'), snapshots.join());
  if (lost.length === 0) assert.deepEqual(await it.reopened().damage(), []);
}

async function withCopy(template: number, work: (it: DamagedHome) => Promise<void>): Promise<void> {
  const copy = (templates[template] as DamagedHome).copy();
  try {
    await work(copy);
  } finally {
    copy.remove();
  }
}

for (const [template, { layout, replicas }] of KINDS.entries()) {
  test(`one byte changed, or one file cut, of ${layout} peers with ${replicas} replicas: found, no more lost than was hit, and healed`, async () => {
    await fc.assert(
      fc.asyncProperty(harms('flip', 'cut'), async (harm) => {
        await withCopy(template, async (it) => {
          it.harm(harm);
          const damage = await it.reopened().damage();
          assert.notDeepEqual(damage, []);
          // A peer that is refused as a whole is another matter.
          if (damage.some((finding) => finding.includes('peer.json'))) await it.repair();
          const found = await assertReadable(it, replicas === 2 ? it.whole.keys() : it.unhit());
          const { lost } = await it.repair();
          await assertReadable(it, found.keys());
          if (replicas === 2) assert.deepEqual(lost, []);
          if (lost.length > 0) await assertHealedByAdding(it);
          else assert.deepEqual(await it.reopened().damage(), []);
        });
      }),
      { numRuns: RUNS, endOnFailure: true, includeErrorInReport: true },
    );
  });
}

test('repair: no replica fewer, nothing readable less, and the second has nothing to do', { skip: sample() }, async () => {
  const peerAway = fc.option(fc.constantFrom('one', 'two', 'three'));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(KINDS.length - 1),
      fc.array(harms('flip', 'cut', 'delete'), { minLength: 1, maxLength: 8 }),
      peerAway,
      async (template, harm, away) => {
        await withCopy(template, async (it) => {
          for (const one of harm) it.harm(one);
          const place = (name: string) => join(it.dir, 'home', 'peers', name);
          if (away !== null) renameSync(place(away), join(it.dir, 'away'));
          const repairAndCompare = async () => {
            const [readable, whole] = [await assertReadable(it, []), await it.replicasOf()];
            const planned = await it.repair({ dryRun: true });
            assert.deepEqual(await it.readable(), readable, 'a dry run changes nothing');
            const done = await it.repair();
            assert.ok(planned.mended >= done.mended);
            // Shards share blocks in this layout: what mends one may mend another, of which more is read then.
            const shared = KINDS[template]?.layout === 'blockstore' ? { mended: done.mended, readBytes: done.readBytes } : {};
            assert.deepEqual({ ...planned, ...shared, dryRun: false }, done, 'and says what will be done');
            await assertReadable(it, readable.keys());
            const after = await it.replicasOf();
            for (const [cid, count] of whole)
              if (after.has(cid)) assert.ok((after.get(cid) as number) >= count, `${cid} has fewer replicas`);
            return done;
          };
          let before = await repairAndCompare();
          if (away !== null) {
            assert.equal(existsSync(place(away)), false, 'a mount point is not filled in');
            renameSync(join(it.dir, 'away'), place(away));
            before = await repairAndCompare();
          }
          const { lost, shards: _, readBytes: __, rewritten, ...rest } = await it.repair();
          // Of a shard that was found lost in the run before, it may turn out that a tree does not need it.
          assert.ok(rewritten === 0 || before.lost.length > 0);
          const nothing = {
            dryRun: false,
            identities: 0,
            found: 0,
            mended: 0,
            added: 0,
            runs: 0,
            relisted: 0,
            tooFew: 0,
            away: 0,
          };
          assert.deepEqual(rest, nothing);
          if (lost.length === 0) assert.deepEqual(await it.reopened().damage(), []);
          await assertHealedByAdding(it);
        });
      },
    ),
    { numRuns: 2 * RUNS, endOnFailure: true, includeErrorInReport: true },
  );
});
