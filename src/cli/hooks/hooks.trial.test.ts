/** Hooks by the whole program: what docs/hooks.md promises, and its three command lines against a server here. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { oneIn } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(8);
const docs = (name: string) => readFileSync(fileURLToPath(new URL(`../../../../docs/${name}`, import.meta.url)), 'utf8');

const common = {
  version: z.literal(1),
  text: z.string(),
  host: z.string(),
  home: z.string(),
  command: z.string(),
  time: z.iso.datetime(),
};
const count = z.number().int().nonnegative();
const commit = z.strictObject({
  ...common,
  hook: z.literal('commit'),
  repository: z.string(),
  number: count,
  tree: z.string(),
  snapshot: z.string(),
  files: count,
  bytes: count,
  changedEntries: count.optional(),
  newBytes: count.optional(),
});
const problem = z.strictObject({
  ...common,
  hook: z.literal('problem'),
  exitCode: count,
  error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
  repositories: z.array(z.string()),
  problems: z.array(z.string()).max(20),
  more: count,
});
const message = z.discriminatedUnion('hook', [commit, problem]);

interface Request {
  readonly line: string;
  readonly body: string;
  readonly authorization: string | undefined;
}

let program: Program;
let server: Server;
let base: string;
let requests: Request[] = [];
let status = 200;
before(async () => {
  program = new Program();
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      requests.push({ line: `${request.method} ${request.url}`, body, authorization: request.headers.authorization });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  mkdirSync(program.path('debian'));
  writeFileSync(program.path('debian', 'a'), 'a');
});
beforeEach(() => {
  requests = [];
  status = 200;
});
after(() => {
  server.close();
  program.dispose();
});

const run = async (...argv: string[]) => await program.follow(() => {}, ...argv);
let changes = 0;
const change = () => writeFileSync(program.path('debian', 'a'), `changed ${++changes}`);

/** The command lines of the page, at a server and with a token of this test. */
function recipes(): string[] {
  writeFileSync(program.path('dns-token'), 'secret\n');
  return [...docs('hooks.md').matchAll(/```sh on-\w+\n([^`]*)```/g)].map(([, line = '']) =>
    line
      .trim()
      .replaceAll(/https:\/\/\w+\.example\.org/g, base)
      .replaceAll('/etc/shardctl/dns-token', program.path('dns-token')),
  );
}

test('docs/hooks.schema.json is the schema to which the messages are held, and so are the examples of the page', () => {
  assert.deepEqual(JSON.parse(docs('hooks.schema.json')), z.toJSONSchema(message));
  const examples = [...docs('hooks.md').matchAll(/```json\n([^`]*)```/g)].map(([, text = '']) => message.parse(JSON.parse(text)));
  assert.deepEqual(
    examples.map(({ hook }) => hook),
    ['commit', 'problem'],
  );
});

test('the three command lines of the page do what it says', { skip: sample() }, async () => {
  const [purge = '', dns = '', chat = ''] = recipes();
  change();
  const added = await run('add', 'debian', '--on-commit', purge, '--json');
  assert.equal(added.code, 0, added.stderr);
  const { tree } = JSON.parse(added.lines.find((line) => line.includes('"summary"')) ?? '') as { tree: string };
  change();
  const updated = await run('update', 'debian', '--on-commit', dns, '-Q');
  assert.equal(updated.code, 0, updated.stderr);
  assert.equal(updated.stderr, '');
  renameSync(program.path('debian'), program.path('away'));
  assert.equal((await run('update', '-q', '--on-problem', chat)).code, 40);
  renameSync(program.path('away'), program.path('debian'));
  assert.notEqual(updated.lines[0], tree);
  const [purged, linked, told] = requests;
  assert.equal(requests.length, 3);
  assert.equal(purged?.line, 'PURGE /debian/');
  assert.deepEqual([linked?.line, linked?.authorization], ['PUT /domains/example.org/rrsets/_dnslink.debian/TXT/', 'Token secret']);
  assert.deepEqual(JSON.parse(linked?.body ?? ''), { ttl: 60, records: [`"dnslink=/ipfs/${updated.lines[0]}"`] });
  const parsed = problem.parse(JSON.parse(told?.body ?? ''));
  assert.deepEqual([parsed.exitCode, parsed.error?.code], [40, 'SOURCE_MISSING']);
  assert.match(parsed.text, /^shardctl update on .* ended with 40: /);
});

test('a head is told until the hook has ended well, and the run is well whatever the hook does', { skip: sample() }, async () => {
  program.succeeds('config', 'on-commit', `curl -fsS --json @- ${base}/told`);
  change();
  status = 503;
  const failed = await run('add', 'debian', '-q');
  assert.equal(failed.code, 0);
  assert.match(failed.stderr, /^on-commit: curl: .*503/m);
  assert.match(failed.stderr, /^warning: the hook on-commit of debian has failed: it ended with 22; the next run calls it again$/m);
  status = 200;
  assert.equal((await run('update', '-q')).stderr, '');
  assert.equal((await run('update', '-q')).stderr, '');
  const messages = requests.map(({ body }) => commit.parse(JSON.parse(body)));
  assert.equal(messages.length, 2);
  assert.equal(messages[0]?.tree, messages[1]?.tree);
  assert.deepEqual([messages[0]?.changedEntries !== undefined, messages[1]?.changedEntries], [true, undefined]);
  program.succeeds('config', 'on-commit', 'none', '--repository', 'debian');
  change();
  program.succeeds('update', 'debian');
  assert.equal(requests.length, 2);
  program.succeeds('config', 'on-commit', '--unset');
});

test('a problem is told at the end of the run, with the lock given back, and in no dry run', { skip: sample() }, async () => {
  program.succeeds('add', 'debian', '-q');
  renameSync(program.path('debian'), program.path('away'));
  program.succeeds('config', 'on-problem', `curl -fsS --json @- ${base}/told`);
  assert.equal((await run('update', '-n')).code, 40);
  assert.equal(requests.length, 0);
  const nested = await run('update', '--on-problem', 'ls "$SHARDCTL_HOME/lock" | wc -l; exit 1');
  assert.match(nested.stderr, /^on-problem: 0$/m);
  assert.match(nested.stderr, /the hook on-problem has failed: it ended with 1$/m);
  assert.equal((await run('update', 'debian', '-q')).code, 40);
  assert.deepEqual(problem.parse(JSON.parse(requests[0]?.body ?? '')).repositories, ['debian']);
  program.succeeds('config', 'on-problem', 'none', '--repository', 'debian');
  assert.equal((await run('update', 'debian')).code, 40);
  assert.equal(requests.length, 1);
  renameSync(program.path('away'), program.path('debian'));
  assert.equal((await run('update', 'debian')).code, 0);
  assert.equal(requests.length, 1);
  program.ends(2, 'update', 'debian', '--hook-timeout', 'soon');
  mkdirSync(program.path('debian', 'dists/torn/main/binary-amd64'), { recursive: true });
  writeFileSync(program.path('debian', 'dists/torn/main/binary-amd64/Packages'), '');
  const line = ` ${'0'.repeat(64)} 0 main/binary-amd64/Packages`;
  writeFileSync(program.path('debian', 'dists/torn/Release'), `Suite: torn\nArchitectures: amd64\nComponents: main\nSHA256:\n${line}\n`);
  const hook = `curl -fsS --json @- ${base}/told`;
  assert.equal((await run('update', 'debian', '--gate', 'debian', '--on-problem', hook)).code, 26);
  const told = problem.parse(JSON.parse(requests[1]?.body ?? ''));
  assert.match(told.problems[0] ?? '', /^contradiction in debian@\d+: dists\/torn\/main\/binary-amd64\/Packages: /);
  assert.match(told.problems[1] ?? '', /^held back by the gate: debian@/);
  assert.match(told.text, / ended with 26: held back by the gate: debian@/, 'what a chat shows says what was held back');
  assert.match((await run('update', 'debian', '--gate', 'off', '--on-problem', hook)).stdout, /nothing has changed; .* it is the head$/m);
  assert.equal(requests.length, 2);
});
