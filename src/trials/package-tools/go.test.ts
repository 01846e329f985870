/** Real Go downloads modules from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { GoMirror } from '../../testing/package-mirrors/go.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 10;

describe('go', { skip: onlyInAll(without('go', 'go')) }, () => {
  let trial: PackageTrial;
  let mirror: GoMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = new GoMirror(trial.scratch('go'));
    mirror.publish('1.0.0');
    trial.add(mirror, 'go');
    first = await trial.dateOf('go');
    await trial.serve();
  });
  after(() => trial.close());

  function module(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    // Otherwise Go writes directories that cannot be removed.
    const sandbox = trial.sandbox(meaning, { GOFLAGS: '-mod=mod -modcacherw', GOTOOLCHAIN: 'local' });
    sandbox.write('go.mod', 'module example.org/app\n\ngo 1.21\n');
    return sandbox;
  }

  /** What the sources say that were downloaded. */
  const downloaded = (sandbox: Sandbox) =>
    sandbox.sh(`sed -n 's/^const Text = "\\(.*\\)"$/\\1/p' "$(go list -m -f '{{.Dir}}' example.org/hello-data)/text.go"`);

  test('an update that is committed between its index and its packages does not mix with them', async () => {
    const sandbox = module();
    const [proxy, get] = blocksOf('go');
    await sandbox.follow([proxy as never]);
    await sandbox.sh('go mod edit -require example.org/Example/hello@v1.0.0 && go list -m all');
    await trial.commit(mirror, 'go', '1.1.0');
    await sandbox.sh('go mod download all');
    assert.equal(await downloaded(sandbox), 'hello 1.0.0\n');
    await sandbox.follow([get as never]);
    assert.equal(await downloaded(sandbox), 'hello 1.1.0\n');
  });

  test('a date gives what was the newest then', async () => {
    const sandbox = module({ '20261125T120000Z': first });
    await sandbox.follow(blocksOf('go', 'go at a date'));
    assert.equal(await downloaded(sandbox), 'hello 1.0.0\n');
  });

  test(`${ROUNDS} downloads, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = module();
    await sandbox.follow(blocksOf('go').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'go', ROUNDS, async () => {
      await sandbox.sh('go clean -modcache && go get example.org/Example/hello@latest && go mod download all');
      return await downloaded(sandbox);
    });
    assert.ok(versions.size > 1, [...versions].join(', '));
  });
});
