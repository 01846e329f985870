import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { profileOf } from '../../dag/cid-profile.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { fixture } from '../../testing/program.ts';
import { type TreeSpec, writeTree } from '../../testing/tree.ts';
import { clientLines } from './client-lines.ts';
import { kindOf } from './repository-kind.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-kind-'));
after(() => rmSync(scratch, { recursive: true }));

async function kind(tree: TreeSpec | string, hamtThreshold = 256 * 1024) {
  const blocks = new MemoryBlocks();
  const path = typeof tree === 'string' ? tree : writeTree(mkdtempSync(join(scratch, 'tree-')), tree);
  const root = await blocks.importTree(path, { profile: { ...profileOf('unixfs-v1-2025'), hamtThreshold } });
  return await kindOf(root, blocks);
}

test('real mirrors are known by what lies at their roots', async () => {
  assert.deepEqual(await kind(fixture('debian')), { tool: 'apt', suite: 'stable', components: ['main'] });
  assert.equal((await kind(fixture('rpm'))).tool, 'dnf');
  assert.equal((await kind(fixture('npm'))).tool, 'npm');
});

test('so are the layouts of other tools, and directories that are HAMTs', async () => {
  const deep = (path: string, file: string): TreeSpec =>
    path.split('/').reduceRight<TreeSpec>((below, name) => ({ [name]: below }), { [file]: 'x' });
  assert.equal((await kind(deep('simple/hello', 'index.html'))).tool, 'pip');
  assert.equal((await kind(deep('index', 'config.json'))).tool, 'cargo');
  assert.equal((await kind(deep('example.org/!example/hello/@v', 'list'))).tool, 'go');
  assert.equal((await kind(deep('org/example/hello/1.0', 'hello-1.0.pom'))).tool, 'maven');
  const packages = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`package-${at}`, { 'index.json': '{}' }]));
  assert.equal((await kind(packages, 100)).tool, 'npm');
});

test('a tree of files is no mirror of a tool', async () => {
  assert.equal((await kind({ a: { b: { c: 'x' } }, d: 'y' })).tool, undefined);
  assert.equal((await kind({})).tool, undefined);
});

test('lines that are copied into a shell are words there, whatever the name', async () => {
  const head = { cid: 'bafysnapshot', tree: 'bafytree' } as never;
  const all = clientLines({ name: `a b'$(x)`, head, kind: { tool: 'npm' } }, 'http://h:1').flatMap(({ lines }) => lines);
  assert.deepEqual(all, [
    `npm config set registry 'http://h:1/a%20b%27$%28x%29/'`,
    'ipfs pin add --progress /ipfs/bafysnapshot/shards',
    'ipfs pin add --progress /ipfs/bafytree',
    `ipfs get -o './a b'\\''$(x)' /ipfs/bafytree`,
    `rclone copy --http-url 'http://h:1/a%20b%27$%28x%29/' :http: './a b'\\''$(x)'`,
  ]);
});
