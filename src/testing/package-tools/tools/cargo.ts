/** cargo, with a home and a crate of its own. */
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CargoMirror } from '../../package-mirrors/cargo.ts';
import type { PackageTool } from '../package-tool.ts';
import { missing } from '../required.ts';

/** The first one that reads sparse registries without being asked to try. */
const FIRST_WITH_SPARSE = 68;

function isThere(): boolean {
  const { stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  const [, minor] = /^cargo 1\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(minor) >= FIRST_WITH_SPARSE;
}

export const cargo: PackageTool = {
  name: 'cargo',
  repository: 'crates',
  isMissing: missing('cargo', isThere() ? undefined : `cargo of version 1.${FIRST_WITH_SPARSE} or later`),
  mirror: ({ scratch, url, isPrivate }) => new CargoMirror(scratch('crates'), scratch('built-crates'), { url, isPrivate }),
  sandbox: async (trial, meaning) => {
    // `cargo` may be rustup's, which looks for the real one below its home.
    const env = { RUSTUP_HOME: process.env.RUSTUP_HOME ?? join(homedir(), '.rustup'), CARGO_NET_RETRY: '0' };
    const sandbox = trial.sandbox(meaning, () => env);
    sandbox.write('Cargo.toml', '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n');
    sandbox.write('src/main.rs', 'fn main() {\n    println!("{}", hello::TEXT);\n}\n');
    return sandbox;
  },
  installed: async (sandbox) => (await sandbox.sh('cargo run --quiet')).trim(),
  halves: {
    index: 'printf "\\n[dependencies]\\nhello = \\"*\\"\\n" >> Cargo.toml && cargo generate-lockfile',
    packages: 'cargo fetch --locked',
  },
  again: 'rm -rf ~/.cargo/registry Cargo.lock && (cargo remove hello || true) && cargo add hello && cargo fetch',
  rounds: 4,
};
