import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type ClusterConfig, type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { loadConfig } from '../../home/config-file.ts';
import { ensureHome, type HomePaths, homePaths } from '../../home/home.ts';
import type { Context } from '../command-line/context.ts';
import { type AskedCluster, addCluster, refreshed, withCounting, withNewMembers } from './cluster-settings.ts';
import { removePeer } from './peer-settings.ts';

let dir: string;
let home: HomePaths;
let config: Config;
let server: Server;
let url: string;
/** Name and Kubo of each member that sends pings. */
let pings: Record<string, { peer_name: string; ipfs_id?: string }>;
/** Whom the member that is asked trusts; undefined when it does not say. */
let trusted: readonly string[] | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-members-'));
  home = homePaths(dir);
  ensureHome(home);
  config = DEFAULT_CONFIG;
  pings = { A: { peer_name: 'c1', ipfs_id: 'KA' }, B: { peer_name: 'c2', ipfs_id: 'KB' }, F: { peer_name: 'mirror of somebody' } };
  trusted = ['A', 'B'];
  server = createServer((request, response) => {
    const answers: Record<string, unknown> = {
      '/monitor/metrics/ping': Object.entries(pings).map(([peer, value]) => ({
        name: 'ping',
        peer,
        value: JSON.stringify(value),
        valid: true,
        received_at: 1,
      })),
      '/health/graph': trusted && { cluster_trust_links: Object.fromEntries(Object.keys(pings).map((id) => [id, trusted?.includes(id)])) },
    };
    const answer = answers[request.url as string];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { code: 404, message: 'not found' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

const asked = (more: Partial<AskedCluster> = {}, settings = {}): AskedCluster => ({
  settings: { kind: 'cluster', name: 'lab', url, tags: {}, ...settings },
  counting: [],
  kubos: [],
  ...more,
});

/** Adds the Cluster, or says more of it, and remembers it as the home does. */
async function add(more?: Partial<AskedCluster>, settings?: object): Promise<ClusterConfig> {
  const made = await addCluster({ home } as Context, config, asked(more, settings));
  config = (await loadConfig(home, 'test')) as Config;
  return made;
}
const members = ({ members: its }: ClusterConfig) => its.map(({ name }) => name);
const bystanders = ({ bystanders: its = [] }: ClusterConfig) => its.map(({ name }) => name);

test('the members that the Cluster trusts count, one that follows is given nothing', async () => {
  const made = await add();
  assert.deepEqual([members(made), bystanders(made)], [['lab.c1', 'lab.c2'], ['mirror of somebody']]);
  assert.deepEqual(made.members[0], { id: 'A', name: 'lab.c1', kuboId: 'KA' });
});

test('those that are named count, and nobody else, whomever the Cluster trusts', async () => {
  const made = await add({ counting: ['c2', 'F'] });
  assert.deepEqual([members(made), bystanders(made)], [['lab.c2', 'lab.mirror-of-somebody'], ['c1']]);
  await assert.rejects(add({ counting: ['c9'] }), { code: 'USAGE', message: /no member "c9"/, hint: /c1, c2/ });
});

test('where it cannot be seen whom a Cluster trusts, the members have to be named', async () => {
  trusted = undefined;
  await assert.rejects(add(), { message: /which of its members it trusts/, hint: /--members 'c1,c2,mirror of somebody'/ });
  assert.deepEqual(members(await add({ counting: ['c1', 'c2'] })), ['lab.c1', 'lab.c2']);
});

test('the same command again changes the address and takes in nobody; a name takes one in', async () => {
  await add();
  pings.C = { peer_name: 'c3' };
  trusted = ['A', 'B', 'C'];
  const again = await add({}, { url: url.replace('127.0.0.1', 'localhost') });
  assert.deepEqual(
    [members(again), bystanders(again)],
    [
      ['lab.c1', 'lab.c2'],
      ['mirror of somebody', 'c3'],
    ],
  );
  assert.deepEqual(members(await add({ counting: ['c3'] })), ['lab.c1', 'lab.c2', 'lab.c3']);
});

test('a member that joins later is named once and given nothing, until somebody takes it in', async () => {
  const made = await add();
  const told: string[][] = [];
  const look = (cluster: ClusterConfig) =>
    refreshed(home, cluster, config.peers, (fresh) => told.push(fresh.map(({ peername }) => peername)));
  assert.equal(await look(made), made);
  pings.C = { peer_name: 'c3' };
  trusted = ['A', 'B', 'C'];
  const seen = await look(made);
  assert.equal(await look(seen), seen);
  assert.deepEqual([members(seen), told], [['lab.c1', 'lab.c2'], [['c3']]]);
  assert.deepEqual(members(await withCounting(home, config, seen, ['c3'])), ['lab.c1', 'lab.c2', 'lab.c3']);
});

test('a member that was taken out stays out, dead or alive, until somebody takes it in', async () => {
  await add();
  removePeer(home, config, 'lab.c2');
  config = (await loadConfig(home, 'test')) as Config;
  const [out] = config.peers as [ClusterConfig];
  const told: unknown[] = [];
  assert.equal(await refreshed(home, out, config.peers, (names) => told.push(names)), out);
  assert.deepEqual([members(out), told], [['lab.c1'], []]);
  assert.deepEqual(members(await add()), ['lab.c1']);
  assert.deepEqual(members(await add({ counting: ['lab.c2'] })), ['lab.c1', 'lab.c2']);
});

test('the members of an older home stay what they are: what it does not know yet is named, and not taken in', async () => {
  const old: ClusterConfig = { ...asked().settings, members: [{ id: 'F', name: 'lab.f' }] };
  const told: string[][] = [];
  const seen = await refreshed(home, old, [old], (fresh) => told.push(fresh.map(({ peername }) => peername)));
  assert.deepEqual([members(seen), told], [['lab.f'], [['c1', 'c2']]]);
});

test('the command that takes members in can be pasted into a shell, whatever they are called', async () => {
  await add({ counting: ['c1'] });
  const told: string[] = [];
  const reporter = { event: ({ hint }: { hint?: string }) => void told.push(hint ?? '') };
  pings = { ...pings, S: { peer_name: "it's far $HOME" }, K: { peer_name: 'a, b' } };
  await withNewMembers({ home, reporter } as unknown as Context, config);
  const [, command = ''] = /`(.*)`/.exec(told[0] ?? '') ?? [];
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' }).split('\n');
  assert.deepEqual(words.slice(0, 6), ['shardctl', 'peers', 'set', 'lab', '--members', "it's far $HOME,K"]);
});

test('a Cluster that is one peer knows all members, and chooses among them itself', async () => {
  const made = await add({}, { federate: true });
  assert.equal(made.members.length, 3);
  await assert.rejects(add({ counting: ['c1'] }, { federate: true }), { code: 'USAGE', message: /chooses its members itself/ });
});

test('the address of a Kubo that does not answer is believed where the Cluster knows its Kubo, and asked for where it does not', async () => {
  const nowhere = 'http://127.0.0.1:1';
  const made = await add({ kubos: [{ member: 'c1', url: nowhere }] });
  assert.deepEqual(made.members[0], { id: 'A', name: 'lab.c1', kuboId: 'KA', kubo: nowhere });
  await assert.rejects(add({ counting: ['F'], kubos: [{ member: 'F', url: nowhere }] }), {
    code: 'TOO_FEW_PEERS',
    message: /cannot be reached/,
  });
  await assert.rejects(add({ kubos: [{ member: 'mirror of somebody', url: nowhere }] }), {
    code: 'USAGE',
    message: /no member .* that counts/,
  });
});
