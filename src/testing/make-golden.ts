/** Has Kubo compute the golden CIDs: `node make-golden.js golden.json [RECIPE…]`. With recipes, only their cases are computed anew. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Golden, type GoldenRun, nameOf, RUNS, readGolden } from './golden.ts';
import { makeCase } from './golden-recipe.ts';
import { KuboRepo } from './kubo.ts';

const [path, ...only] = process.argv.slice(2);
if (path === undefined) throw new Error('which file?');

const work = mkdtempSync(join(tmpdir(), 'shardctl-golden-'));
const repos = new Map<string, KuboRepo>();
try {
  const known = existsSync(path) ? readGolden(path).cases : {};
  const cases: Record<string, Golden> = {};
  for (const run of RUNS) {
    const name = nameOf(run);
    const old = known[name];
    cases[name] = old === undefined || only.length === 0 || only.includes(run.recipe) ? compute(run) : old;
    console.log(name, cases[name]?.cid);
  }
  const kubo = repoOf(RUNS[0] as GoldenRun).text(['version', '--number']);
  writeFileSync(path, `${JSON.stringify({ kubo, cases }, null, 2)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function compute(run: GoldenRun): Golden {
  const dir = join(work, 'tree');
  makeCase(run.recipe, dir);
  // With metadata Kubo takes no raw leaves, and --only-hash fails for want of a block that it did not store.
  const how = run.metadata ? ['--pin=false', '--preserve-mode', '--preserve-mtime', '--raw-leaves=false'] : ['--only-hash'];
  const chunker = run.chunker === undefined ? [] : ['--chunker', run.chunker];
  const args = ['add', '-r', '-Q', '--hidden', ...how, ...chunker];
  const cid = repoOf(run).text([...args, dir]);
  rmSync(dir, { recursive: true });
  return { ...run, cid, command: `ipfs config profile apply ${run.profile} && ipfs ${args.join(' ')} DIR` };
}

function repoOf({ profile }: GoldenRun): KuboRepo {
  const repo = repos.get(profile) ?? KuboRepo.init(join(work, profile), profile);
  repos.set(profile, repo);
  return repo;
}
