import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { BIN, fixture, Program } from '../../testing/program.ts';

const sample = oneIn(5);

const A = 'a'.repeat(20);
const ALL = 'c'.repeat(20);

let program: Program;
before(() => {
  program = new Program();
  program.succeeds('add', fixture('npm'), '--name', 'npm', '-q');
  program.succeeds('add', fixture('debian'), '--name', 'debian', '-q');
});
after(() => program.dispose());

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  /** Ends it; its exit code. */
  stop(): Promise<number | null>;
}

async function serve(...options: string[]): Promise<Served> {
  const child = program.start('serve', '--listen', '127.0.0.1:0', ...options);
  let said = '';
  child.stderr?.setEncoding('utf8');
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr?.on('data', (text: string) => {
      said += text;
      const [, found] = /serving on (\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`${code}: ${said}`)));
  });
  const gone = once(child, 'exit') as Promise<[number | null]>;
  const stop = async () => {
    child.kill('SIGTERM');
    return (await gone)[0];
  };
  return { child, url, stop };
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const statusOf = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init);
  await answer.arrayBuffer();
  return answer.status;
};

/** As `statusOf`, when it is known what may be shown. */
async function settledStatus(url: string, init: RequestInit = {}): Promise<number> {
  for (;;) {
    const status = await statusOf(url, init);
    if (status !== 503) return status;
  }
}

test('mistakes are found before anything is served', { skip: onlyInAll() }, () => {
  program.fails(40, /no repository "rpm"/, 'serve', 'rpm');
  program.fails(2, /"localhost" is no address to listen on/, 'serve', '--listen', 'localhost');
  program.fails(2, /--tls-cert and --tls-key go together/, 'serve', '--tls-cert', 'x');
  program.fails(2, /cannot read the tokens in .*none/, 'serve', '--token-file', 'none');
  program.fails(2, /--workers "0"/, 'serve', '--workers', '0');
});

describe('with tokens', () => {
  let served: Served;
  let file: string;
  before(async () => {
    file = program.path('tokens');
    writeFileSync(file, `debian ${A}\n* ${ALL}\n`);
    chmodSync(file, 0o600);
    served = await serve('--token-file', file, '--access-log', program.path('access.log'), '--access-log-format', 'json');
  });

  after(() => served.child.kill('SIGKILL'));

  test('strangers see nothing of a private repository, neither by path nor by content, nor that it is there', async () => {
    const { url } = served;
    const tree = program.head('debian').tree;
    assert.deepEqual([await statusOf(`${url}/npm/`), await statusOf(`${url}/debian/`), await statusOf(`${url}/none/`)], [200, 401, 401]);
    assert.deepEqual([await statusOf(`${url}/debian/`, bearer(A)), await statusOf(`${url}/none/`, bearer(A))], [200, 401]);
    assert.deepEqual([await statusOf(`${url}/debian/`, bearer(ALL)), await statusOf(`${url}/none/`, bearer(ALL))], [200, 404]);
    for (const form of ['', '?format=raw', '?format=car']) {
      const block = `${url}/ipfs/${tree}${form}`;
      assert.deepEqual([await settledStatus(block), await settledStatus(block, bearer(A))], [404, 200], block);
    }
    const open = `${url}/ipfs/${program.head('npm').tree}?format=raw`;
    assert.equal(await settledStatus(open), 200);
    const providers = async (init: RequestInit) => await (await fetch(`${url}/routing/v1/providers/${tree}`, init)).text();
    assert.ok(!(await providers({})).includes('transport-ipfs-gateway-http'));
    for (const page of ['/', '/metrics']) assert.ok(!(await (await fetch(`${url}${page}`)).text()).includes('debian'), page);
  });

  test('SIGHUP has it read the tokens again, and open its log again; a file that is wrong changes nothing', async () => {
    const { url, child } = served;
    renameSync(program.path('access.log'), program.path('access.log.1'));
    appendFileSync(file, `npm ${A}\n`);
    child.kill('SIGHUP');
    while ((await statusOf(`${url}/npm/`)) !== 401);
    writeFileSync(file, 'rubbish');
    child.kill('SIGHUP');
    await once(child.stderr as NonNullable<typeof child.stderr>, 'data');
    assert.equal(await statusOf(`${url}/npm/`), 401);
    assert.equal(await statusOf(`${url}/npm/`, bearer(A)), 200);
  });

  test('a private repository stays private when it is renamed, and updated after that', async () => {
    const { url } = served;
    program.succeeds('rename', 'debian', 'archive', '-q');
    program.succeeds('add', fixture('debian'), '--name', 'archive', '--exclude', 'pool', '--max-delete', 'none', '-q');
    while ((await statusOf(`${url}/archive/`, bearer(A))) !== 200);
    while ((await statusOf(`${url}/archive/pool/`, bearer(A))) !== 404);
    assert.equal(await statusOf(`${url}/archive/`), 401);
  });

  test('it ends with 0 when it is asked to, and has logged every answer and no token', async () => {
    assert.equal(await served.stop(), 0);
    const log = ['access.log.1', 'access.log'].map((name) => readFileSync(program.path(name), 'utf8')).join('');
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { url: string; status: number });
    assert.ok(lines.some(({ url, status }) => url === '/debian/' && status === 401));
    assert.ok(!log.includes(A) && !log.includes(ALL));
  });
});

test('a port that is taken is one line', { skip: sample() }, async () => {
  const { url, stop } = await serve();
  program.fails(1, /cannot listen on 127\.0\.0\.1:\d+: .*ss -ltnp/, 'serve', '--listen', new URL(url).host);
  await stop();
});

test('workers serve one port; one that dies is replaced, and all end together', { skip: onlyInAll() }, async () => {
  const { child, url, stop } = await serve('--workers', '2');
  const children = () =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  const [first = 0, ...others] = children();
  assert.equal(others.length, 1);
  process.kill(first, 'SIGKILL');
  while (children().length < 2 || children().includes(first))
    await statusOf(`${url}/npm/`, { signal: AbortSignal.timeout(1000) }).catch(() => 0);
  assert.equal(await statusOf(`${url}/npm/`), 200);
  assert.equal(await stop(), 0);
});

for (const workers of ['1', '2'])
  test(`a socket that systemd has opened is the one where ${workers === '1' ? 'it listens' : 'workers listen'}`, async () => {
    const socket = createServer().listen(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address() as AddressInfo;
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
    const env = { ...process.env, SHARDCTL_HOME: program.home, LISTEN_FDS: '1' };
    const command = [process.execPath, BIN, 'serve', '--workers', workers];
    const child = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...command], { env, stdio: ['ignore', 'ignore', 'pipe', fd] });
    try {
      const [said] = (await once(child.stderr as Readable, 'data')) as [Buffer];
      assert.equal(`${said}`, `serving on http://127.0.0.1:${port}\n`);
      // From now on those who have got it accept alone.
      socket.close();
      assert.equal(await statusOf(`http://127.0.0.1:${port}/npm/`), 200);
    } finally {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
  });
