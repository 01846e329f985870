/** apt installs from a copy while `fetch` brings it up to date: each index that it reads fits what that names. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { DebianMirror } from '../../testing/package-mirrors/debian.ts';
import { Signer } from '../../testing/package-mirrors/signer.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { apt } from '../../testing/package-tools/tools/apt.ts';
import { ServeProcess } from '../../testing/serve-process.ts';

const ROUNDS = 50;

test('apt beside updates of the copy that it reads: nothing mismatches', { skip: onlyInAll(apt.isMissing) }, async (t) => {
  const trial = await PackageTrial.open();
  const { program } = trial;
  const mirror = new DebianMirror(trial.scratch('debian'), trial.scratch('built-debs'), Signer.create(trial.scratch('apt-keys')), true);
  mirror.publish('1.0.0');
  program.succeeds('add', mirror.dir, '--name', 'debian');
  const served = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
  t.after(async () => {
    await served.stop();
    mirror.close();
    await trial.close();
  });
  const out = program.path('copy');
  const run = async (...argv: string[]) => {
    const { code, stderr } = await program.follow(() => {}, ...argv, '--quiet');
    assert.equal(code, 0, stderr);
  };
  const update = () => run('fetch', `${served.url}/debian`, out, '--delete');
  await update();

  const sandbox = await apt.sandbox(trial);
  // `copy:` and not `file:`, of which apt uses some files in their place, long after it has read their names.
  const source = `Types: deb\nURIs: copy:${out}\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/mirror.gpg\n`;
  sandbox.write('/etc/apt/sources.list.d/mirror.sources', source);
  let isOver = false;
  const updating = (async () => {
    for (let version = 1; !isOver; version++) {
      mirror.publish(`1.${version}.0`);
      await run('update', 'debian');
      await update();
    }
  })();
  const found = new Set<string>();
  try {
    for (let round = 0; round < ROUNDS; round++) found.add((await sandbox.sh(apt.often as string)).trimEnd().split('\n').at(-1) as string);
  } finally {
    isOver = true;
    await updating;
  }
  assert.ok(found.size > 1 && [...found].every((text) => /^hello [\d.]+$/.test(text)), [...found].join(', '));
  rmSync(out, { recursive: true });
});
