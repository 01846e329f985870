/** docs/demo tells the truth: the story goes through to its end, on directories and on Kubo daemons, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll } from '../testing/depth.ts';
import { kuboBinary } from '../testing/kubo.ts';

const DEMO = fileURLToPath(new URL('../../../docs/demo', import.meta.url));
/** Of runs side by side each has ports of its own, below those that the system gives out. */
const PORT = 22_000 + (process.pid % 100) * 50;

for (const kind of ['local', 'kubo'] as const) {
  test(`the story, on ${kind} peers`, { skip: onlyInAll() }, (t) => {
    if (kind === 'kubo' && kuboBinary() === undefined) return t.skip('needs a Kubo: docs/development.md');
    if (spawnSync('curl', ['--version']).status !== 0) return t.skip('needs curl');
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-demo-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const env = { ...process.env, TMPDIR: dir, DEMO_PEERS: kind, DEMO_PORT: String(PORT) };
    const { status, stdout, stderr } = spawnSync(DEMO, { env, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /exit code 46.*no shard is on fewer peers.*the same bytes, three times\n$/s);
    assert.deepEqual(readdirSync(dir), []);
  });
}
