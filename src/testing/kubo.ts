/** Real Kubo for tests, offline: a binary, and throw-away datastores driven through its command line. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** The `ipfs` binary that the peer builder made, or undefined. `SHARDCTL_PEERS` names another folder of binaries. */
export function kuboBinary(): string | undefined {
  const binary = join(process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers'), 'ipfs');
  try {
    accessSync(binary, constants.X_OK);
    return binary;
  } catch {
    return undefined;
  }
}

/**
 * Skips the test when there is no Kubo, unless `SHARDCTL_TEST_REQUIRE` lists `kubo`: then that is a failure.
 * @returns whether the test can go on
 */
export function requireKubo(t: TestContext): boolean {
  if (kuboBinary() !== undefined) return true;
  if ((process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('kubo')) throw new Error('Kubo is required but not there');
  t.skip('no Kubo binary');
  return false;
}

/** A Kubo datastore in a folder of its own, used without a daemon. */
export class KuboRepo {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a datastore in `dir`. @param profile a CID profile such as `unixfs-v1-2025` */
  static init(dir: string, profile?: string): KuboRepo {
    mkdirSync(dir, { recursive: true });
    const repo = new KuboRepo(dir);
    repo.run(['init', '--profile=test']);
    if (profile !== undefined) repo.run(['config', 'profile', 'apply', profile]);
    return repo;
  }

  /** Runs one command and gives its standard output. Throws with what Kubo said when it fails. */
  run(args: readonly string[], input?: Uint8Array): Buffer {
    const binary = kuboBinary();
    if (binary === undefined) throw new Error('Kubo is not there: call requireKubo first');
    const result = spawnSync(binary, args, {
      env: { ...process.env, IPFS_PATH: this.path },
      maxBuffer: 1 << 30,
      ...(input === undefined ? {} : { input }),
    });
    if (result.error !== undefined) throw result.error;
    if (result.status !== 0) throw new Error(`ipfs ${args.join(' ')}: exit code ${result.status}: ${result.stderr.toString()}`);
    return result.stdout;
  }

  /** As `run`: standard output as text, without the newline at its end. */
  text(args: readonly string[], input?: Uint8Array): string {
    return this.run(args, input).toString().trimEnd();
  }
}
