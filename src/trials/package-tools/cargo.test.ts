/** Real cargo builds with crates from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { CargoMirror } from '../../testing/package-mirrors/cargo.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { missing } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 8;
/** The first one that reads sparse registries without being asked to try. */
const FIRST_WITH_SPARSE = 68;

function cargoMissing(): string | undefined {
  const { stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  const [, minor] = /^cargo 1\.(\d+)/.exec(stdout ?? '') ?? [];
  return minor !== undefined && Number(minor) >= FIRST_WITH_SPARSE ? undefined : 'cargo, of version 1.68 or later,';
}

describe('cargo', { skip: onlyInAll(missing('cargo', cargoMissing())) }, () => {
  let trial: PackageTrial;
  let mirror: CargoMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = new CargoMirror(trial.scratch('crates'), trial.scratch('built'), { url: `${trial.url}/crates` });
    mirror.publish('1.0.0');
    trial.add(mirror, 'crates');
    first = await trial.dateOf('crates');
    await trial.serve();
  });
  after(() => trial.close());

  function crate(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    // `cargo` may be rustup's, which looks for the real one below its home.
    const sandbox = trial.sandbox(meaning, { RUSTUP_HOME: process.env.RUSTUP_HOME ?? join(homedir(), '.rustup') });
    sandbox.write('Cargo.toml', '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n');
    sandbox.write('src/main.rs', 'fn main() {\n    println!("{}", hello::TEXT);\n}\n');
    return sandbox;
  }

  const built = (sandbox: Sandbox) => sandbox.sh('cargo run --quiet');

  test('an update that is committed between its index and its packages does not mix with them', async () => {
    const sandbox = crate();
    const [source, add] = blocksOf('cargo');
    await sandbox.follow([source as never]);
    await sandbox.sh('printf "\\n[dependencies]\\nhello = \\"*\\"\\n" >> Cargo.toml && cargo generate-lockfile');
    await trial.commit(mirror, 'crates', '2.0.0');
    assert.equal(await built(sandbox), 'hello 1.0.0\n');
    await sandbox.follow([add as never]);
    assert.equal(await built(sandbox), 'hello 2.0.0\n');
  });

  test('a date gives what was the newest then', async () => {
    const sandbox = crate({ '20261125T120000Z': first });
    await sandbox.follow(blocksOf('cargo', 'cargo at a date'));
    assert.equal(await built(sandbox), 'hello 1.0.0\n');
  });

  test(`${ROUNDS} downloads, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = crate();
    await sandbox.follow(blocksOf('cargo').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'crates', ROUNDS, async () => {
      await sandbox.sh('rm -rf ~/.cargo/registry Cargo.lock && cargo add --quiet hello && cargo fetch --quiet');
      return await sandbox.sh(`sed -n 's/^version = "\\(.*\\)"$/\\1/p' ~/.cargo/registry/src/*/hello-[0-9]*/Cargo.toml`);
    });
    assert.ok(versions.size > 1, [...versions].join(', '));
  });
});
