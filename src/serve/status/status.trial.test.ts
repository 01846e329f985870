/** The whole program: what `serve` tells of its home while other processes work in it. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemProcesses } from '../../cli/session/process-table.ts';
import { homePaths } from '../../home/home.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';

async function until(url: string, expected: RegExp): Promise<string> {
  for (;;) {
    const text = await (await fetch(url, { headers: { connection: 'close' } })).text();
    if (expected.test(text)) return text;
    await sleep(50);
  }
}

test('another process is seen at work, a new snapshot and new settings come by themselves, and workers count together', {
  skip: onlyInAll(),
}, async () => {
  const program = new Program();
  try {
    const source = program.path('source');
    mkdirSync(join(source, 'dists', 'stable', 'main'), { recursive: true });
    writeFileSync(join(source, 'dists', 'stable', 'Release'), 'one');
    program.succeeds('add', source, '--name', 'n');
    const serve = await ServeProcess.start(program, '--listen', '127.0.0.1:0', '--workers', '2');
    try {
      const { url } = serve;
      assert.match(await until(`${url}/`, /class="facts"/), /deb \[signed-by/);
      await until(`${url}/readyz`, /^ready/);
      for (let count = 0; count < 20; count += 1) await fetch(`${url}/n/dists/stable/Release`, { headers: { connection: 'close' } });
      await until(`${url}/metrics`, /^shardctl_http_requests_total\{route="path",method="GET",status="200"\} 20$/m);
      // Somebody holds the lock, and an update waits for it.
      const { locks } = homePaths(program.home);
      const holder = { ...systemProcesses().self(), command: 'shardctl prune', at: new Date().toISOString() };
      writeFileSync(join(locks, `${holder.pid}-ab.json`), JSON.stringify(holder));
      const update = program.start('update', '--lock-wait', '600');
      const page = await until(`${url}/`, /class="card run">[\s\S]*class="card run">/);
      assert.match(page, /<h3>prune<\/h3>/);
      assert.match(page, /<h3>update<\/h3>/);
      update.kill('SIGKILL');
      holder.started = '1';
      writeFileSync(join(locks, `${holder.pid}-ab.json`), JSON.stringify(holder));
      await until(`${url}/`, /id="running"><\/div>/);
      writeFileSync(join(source, 'dists', 'stable', 'Release'), 'another one');
      program.succeeds('update');
      assert.match(await until(`${url}/`, /2&nbsp;snapshots/), /\(@2\)/);
      program.succeeds('verify');
      program.succeeds('peers', 'add', 'local', program.path('second'));
      program.succeeds('config', 'replication', '2');
      const metrics = await until(`${url}/metrics`, /^shardctl_shards_under_replicated\{repository="n"\} [1-9]/m);
      assert.match(metrics, /^shardctl_peer_answers\{peer="second"\} 1$/m);
    } finally {
      await serve.stop();
    }
  } finally {
    program.dispose();
  }
});
