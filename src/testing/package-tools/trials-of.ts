/** What holds for every package tool that installs from `serve`; the lines that it is told are those of docs/package-managers.md. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../depth.ts';
import type { PackageMirror, PackageTool } from './package-tool.ts';
import { PackageTrial } from './package-trial.ts';
import { blocksOf } from './page.ts';

export function trialsOf(tool: PackageTool): void {
  const { name, repository, halves, again, often, rounds } = tool;

  describe(name, { skip: onlyInAll(tool.isMissing) }, () => {
    let trial: PackageTrial;
    let mirror: PackageMirror;
    let date: string;
    before(async () => {
      trial = await PackageTrial.open();
      mirror = trial.add(tool);
      date = await trial.dateOf(repository);
      await trial.serve();
    });
    after(() => trial.close());

    test('an update that is committed between its indexes and its packages does not mix with them', async () => {
      const sandbox = await tool.sandbox(trial);
      await sandbox.follow(blocksOf(name).slice(0, 1));
      if (halves !== undefined) await sandbox.sh(halves.index);
      await trial.commit(mirror, repository, '1.1.0');
      if (halves !== undefined) {
        await sandbox.sh(halves.packages);
        assert.equal(await tool.installed(sandbox), 'hello 1.0.0');
      }
      await sandbox.sh(again);
      assert.equal(await tool.installed(sandbox), 'hello 1.1.0');
    });

    test('the page says how to install the newest', async () => {
      const sandbox = await tool.sandbox(trial);
      await sandbox.follow(blocksOf(name));
      assert.equal(await tool.installed(sandbox), 'hello 1.1.0');
    });

    test('a date gives what was the newest then', async () => {
      const sandbox = await tool.sandbox(trial, { '20261125T120000Z': date });
      await sandbox.follow(blocksOf(name, `${name} at a date`));
      assert.equal(await tool.installed(sandbox), 'hello 1.0.0');
    });

    test(`${rounds} installations beside updates of the mirror: nothing mismatches`, async () => {
      const sandbox = await tool.sandbox(trial);
      await sandbox.follow(blocksOf(name).slice(0, 1));
      const found = await trial.besideCommits(mirror, repository, rounds, async () => {
        const output = await sandbox.sh(often ?? again);
        return often === undefined ? await tool.installed(sandbox) : (output.trimEnd().split('\n').at(-1) as string);
      });
      assert.ok(found.size > 1 && [...found].every((text) => /^hello [\d.]+$/.test(text)), [...found].join(', '));
    });
  });

  test(`${name}, over TLS: with a token, and not without`, { skip: onlyInAll(tool.isMissing) }, async (t) => {
    const trial = await PackageTrial.openSecure();
    t.after(() => trial.close());
    trial.add(tool);
    await trial.serve();
    const blocks = blocksOf(name, `${name} with a token, over TLS`);
    const stranger = await tool.sandbox(trial, { TOKEN: 'another-token-0123456789' });
    await assert.rejects(stranger.follow(blocks));
    const sandbox = await tool.sandbox(trial);
    await sandbox.follow(blocks);
    assert.equal(await tool.installed(sandbox), 'hello 1.0.0');
  });
}
