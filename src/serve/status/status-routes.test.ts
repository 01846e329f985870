import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordFailure, recordMaintenance, recordUpdate } from '../../home/runs/records.ts';
import type { RunState } from '../../home/runs/running.ts';
import { StatusHome } from '../../testing/status-home.ts';

let home: StatusHome;
beforeEach(() => {
  home = new StatusHome();
});
afterEach(() => home.close());

const APT = { dists: { stable: { main: { Release: 'x' }, InRelease: 'x' } } };
const RUN = { ended: '2026-11-26T11:00:00.000Z', seconds: 12, exitCode: 0 };

async function text(url: string, headers: Record<string, string> = {}): Promise<string> {
  return await (await fetch(url, { headers })).text();
}

/** Asks until the answer has what is expected: the state is computed in the background. */
async function untilHas(url: string, expected: string | RegExp, headers: Record<string, string> = {}): Promise<string> {
  for (;;) {
    const answer = await text(url, headers);
    if (typeof expected === 'string' ? answer.includes(expected) : expected.test(answer)) return answer;
    await sleep(10);
  }
}

function running(pid: number, state?: Partial<RunState>) {
  const run = {
    pid,
    host: 'h',
    scope: '',
    started: '',
    command: 'shardctl update /srv/secret',
    at: '2026-11-26T11:59:00.000Z',
    updated: home.now,
  };
  return state === undefined ? run : { ...run, state: { words: 'update', sealed: 0, placed: 0, placedBytes: 0, problems: 0, ...state } };
}

test('metrics tell of repositories, peers and care, and a peer that hangs holds nobody up', async () => {
  await home.repository('debian', APT, 3, 8);
  home.setShard(7, { peers: ['a'], bad: ['00'] });
  home.peer('a', 'z1', { usedBytes: 10, freeBytes: 30 });
  home.peer('b', undefined, () => Promise.reject(new Error('refused')));
  recordUpdate(home.runs, 'debian', { ...RUN, number: 3, changedEntries: 5, newBytes: 77 });
  recordMaintenance(home.runs, 'verify', { ...RUN, figures: { verifyDamaged: 2, nonsense: 3 } });
  home.metrics.answered('path', 'GET', 200, 100, 0.003);
  const url = await home.listen();
  const metrics = await untilHas(`${url}/metrics`, 'shardctl_peer_answers');
  for (const line of [
    'shardctl_files{repository="debian"} 3000',
    'shardctl_snapshots{repository="debian"} 3',
    'shardctl_snapshots_held{repository="debian"} 0',
    'shardctl_shards_under_replicated{repository="debian"} 1',
    'shardctl_shards_damaged{repository="debian"} 1',
    'shardctl_last_run_exit_code{repository="debian"} 0',
    'shardctl_last_change_new_bytes{repository="debian"} 77',
    'shardctl_peer_answers{peer="a"} 1',
    'shardctl_peer_answers{peer="b"} 0',
    'shardctl_peer_free_bytes{peer="a"} 30',
    'shardctl_peer_shards{peer="a"} 8',
    'shardctl_peer_info{peer="a",kind="local",zone="z1"} 1',
    'shardctl_command_exit_code{command="verify"} 0',
    'shardctl_verify_damaged 2',
    'shardctl_http_requests_total{route="path",method="GET",status="200"} 1',
    'shardctl_http_request_duration_seconds_bucket{le="0.005",route="path"} 1',
    'shardctl_http_request_duration_seconds_bucket{le="0.0025",route="path"} 0',
    'shardctl_http_request_duration_seconds_count{route="path"} 1',
  ]) {
    assert.ok(metrics.includes(`\n${line}\n`), line);
  }
  assert.match(metrics, /^process_resident_memory_bytes \d+$/m);
  assert.doesNotMatch(metrics, /nonsense/);
});

test('OpenMetrics has what it must have: families of counters without _total, values with it, and an end', async () => {
  home.metrics.answered('ipfs', 'HEAD', 404, 0, 9999);
  const url = await home.listen();
  const answer = await fetch(`${url}/metrics`, { headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' } });
  assert.match(answer.headers.get('content-type') ?? '', /^application\/openmetrics-text/);
  const metrics = await answer.text();
  assert.match(metrics, /^# TYPE shardctl_http_requests counter$/m);
  assert.match(metrics, /^shardctl_http_requests_total\{route="ipfs",method="HEAD",status="404"\} 1$/m);
  assert.doesNotMatch(metrics, /_total_total|^# TYPE \w+_total counter$/m);
  assert.ok(metrics.endsWith('\n# EOF\n'));
});

test('what is private is in nothing that is answered without a token, neither by name nor by number', async () => {
  await home.repository('public', APT);
  await home.repository('secret', APT);
  home.privateNames.add('secret');
  recordFailure(home.runs, 'secret', { ...RUN, exitCode: 40 });
  home.running = [running(1, { repository: 'secret' }), running(2, { repository: 'public' })];
  const url = await home.listen();
  const open = { authorization: 'Bearer key' };
  assert.match(await untilHas(`${url}/`, 'public'), /public/);
  for (const path of ['/', '/metrics', '/?repository=secret']) assert.doesNotMatch(await text(`${url}${path}`), /secret/, path);
  assert.match(await text(`${url}/`, open), /secret/);
  assert.match(await text(`${url}/metrics`, open), /repository="secret"/);
  assert.match(await text(`${url}/?repository=secret`, open), /secret/);
  // And again without, after it was rendered for somebody who may see it.
  assert.doesNotMatch(await text(`${url}/`), /secret/);
  assert.equal((await fetch(`${url}/?sign-in`, { redirect: 'manual' })).status, 401);
  assert.equal((await fetch(`${url}/?sign-in`, { redirect: 'manual', headers: open })).status, 303);
});

test('the server is alive at once, and ready when a block can be read', async () => {
  await home.repository('debian', APT);
  const url = await home.listen();
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  await untilHas(`${url}/readyz`, 'ready\n');
  home.blocks.read = () => Promise.reject(new Error('gone'));
  home.changed();
  await untilHas(`${url}/readyz`, 'blocks cannot be read');
  assert.equal((await fetch(`${url}/readyz`)).status, 503);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('the page says what is wrong and what to do, shows no path of the server, and nothing of a name is HTML', async () => {
  const name = `"><img src=x onerror=alert(1)>'&`;
  await home.repository(name, APT);
  home.peer('<b>', '<i>', { usedBytes: 99, freeBytes: 1 });
  recordFailure(home.runs, name, { ...RUN, exitCode: 42 });
  home.running = [running(1)];
  const url = await home.listen();
  const page = await untilHas(`${url}/`, 'too few peers can be reached (42)');
  assert.ok(page.includes(`<code>shardctl update &#39;&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;\\&#39;&#39;&amp;&#39;</code>`));
  assert.match(page, /deb \[signed-by=[^\]]*\] http:\/\/127\.0\.0\.1:\d+\/\S+ stable main/);
  assert.doesNotMatch(page, /<img|<b>"|<i>|\/srv\/secret/);
  const { headers } = await fetch(url);
  assert.match(
    headers.get('content-security-policy') ?? '',
    /^default-src 'none'; style-src 'sha256-[^ ']+'; script-src 'sha256-[^ ']+'; connect-src 'self'/,
  );
});

test('peers on one disk share what it has free, in the metrics and on the page, which says so', async () => {
  const disk = { id: '7', freeBytes: 300 };
  home.peer('a', 'z', { usedBytes: 100, freeBytes: 300, disk });
  home.peer('b', 'z', { usedBytes: 100, freeBytes: 300, disk });
  home.peer('kubo', undefined, { usedBytes: 100, freeBytes: 50 });
  const url = await home.listen();
  assert.match(await untilHas(`${url}/metrics`, /^shardctl_free_bytes /m), /^shardctl_free_bytes 350$/m);
  const page = await text(url);
  assert.match(page, /<dt>Free, each disk counted once<\/dt><dd>350&nbsp;B</);
  assert.match(page, /200&nbsp;B of 500&nbsp;B/);
});

test('a silence or a missing replica that verify has found is no trouble any more when repair has ended well since', async () => {
  const at = (hour: number, exitCode: number, figures = {}) => ({ ...RUN, ended: `2026-11-26T0${hour}:00:00.000Z`, exitCode, figures });
  const url = await home.listen();
  const expect = async (expected: RegExp) => {
    home.changed();
    await untilHas(url, expected);
  };
  for (const code of [42, 44]) {
    recordMaintenance(home.runs, 'verify', at(2, code));
    recordMaintenance(home.runs, 'repair', at(1, 0));
    await expect(/1&nbsp;thing to look at/);
    recordMaintenance(home.runs, 'repair', at(3, 0));
    await expect(/all is well/);
    assert.doesNotMatch(await text(url), /class="pill bad"/);
  }
  recordMaintenance(home.runs, 'repair', at(4, 42));
  await expect(/2&nbsp;things to look at/);
});

test('damage that verify has read back stays in doubt after a repair, until verify has looked again', async () => {
  const verified = { ...RUN, exitCode: 44, figures: { verifyReadBytes: 1 } };
  recordMaintenance(home.runs, 'verify', verified);
  recordMaintenance(home.runs, 'repair', { ...RUN, ended: '2026-11-26T11:30:00.000Z', figures: {} });
  const url = await home.listen();
  const page = await untilHas(url, /repair has ended well since: <code>shardctl verify --read-data<\/code> looks again/);
  assert.match(page, /<span class="pill warn">1&nbsp;thing to look at/);
});

test('a header Host that is none does not get into the page', async () => {
  await home.repository('debian', APT);
  const url = await home.listen();
  await untilHas(url, 'debian');
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end(`GET / HTTP/1.1\r\nHost: "><script>x</script>\r\nConnection: close\r\n\r\n`);
  let answer = '';
  for await (const part of socket) answer += part;
  assert.doesNotMatch(answer, /"><script>x/);
});

/** Reads events until one has what is expected. */
async function* eventsOf(url: string, signal: AbortSignal): AsyncGenerator<{ event: string; data: string }> {
  const { body } = await fetch(`${url}/events`, { signal });
  let text = '';
  for await (const part of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream() as never) as AsyncIterable<string>) {
    text += part;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (event !== '') yield { event, data };
    }
  }
}

test('events tell of runs as they begin, go on and end, and of changes; they end with the server', async () => {
  await home.repository('debian', APT);
  const url = await home.listen();
  const events = eventsOf(url, AbortSignal.timeout(20_000));
  const until = async (expected: RegExp) => {
    for (;;) {
      const { value, done } = await events.next();
      assert.ok(done !== true, `no event has ${expected}`);
      if (expected.test(`${value.event} ${value.data}`)) return;
    }
  };
  await until(/^running ""$/);
  home.running = [
    running(1, { repository: 'debian', scanned: { files: 4000, bytes: 10, done: true }, imported: { files: 1000, bytes: 5 } }),
  ];
  await until(/^running .*1,000.*4,000/);
  home.running = [];
  await until(/^running ""$/);
  await home.repository('npm', { left: { 'index.json': '{}' } });
  home.changed();
  await until(/^state \d+$/);
  const ended = events.next();
  await home.close();
  assert.equal((await ended).done, true);
  home = new StatusHome();
});

test('no more pages listen than the server can bear, and one that has left makes room', async () => {
  const url = await home.listen();
  const stop = new AbortController();
  const all = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/events`, { signal: stop.signal })));
  assert.ok(all.every(({ status }) => status === 200));
  assert.equal((await fetch(`${url}/events`)).status, 503);
  stop.abort();
  let status = 503;
  while (status === 503) {
    const one = new AbortController();
    ({ status } = await fetch(`${url}/events`, { signal: one.signal }));
    one.abort();
  }
  assert.equal(status, 200);
});

test('each view that was taken is given back', async () => {
  await home.repository('debian', APT);
  const url = await home.listen();
  await untilHas(url, 'debian');
  for (let turn = 0; turn < 5; turn += 1) home.changed();
  while (home.held > 0) await sleep(5);
  assert.equal(home.held, 0);
});
