/**
 * For tests: a directory shown through FUSE, with faults that can be switched while it is mounted: errnos by number, names listed twice, sizes and
 * inode numbers that lie, open files that cannot be removed, no shared mmap. Needs root and /dev/fuse on Linux, no library and no package.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Faults, toJson } from './faults.ts';

const CAP_SYS_ADMIN = 21n;
const SERVER = fileURLToPath(new URL('./server.js', import.meta.url));

/** Why nothing can be mounted here, for `skip` of a test; undefined where it can. */
export function withoutFuse(): string | undefined {
  if (process.platform !== 'linux') return 'FUSE mounts are made on Linux only';
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0}`);
  if (((capabilities >> CAP_SYS_ADMIN) & 1n) === 0n) return 'who mounts must be root, with CAP_SYS_ADMIN';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch {
    return 'no /dev/fuse here';
  }
  const { error } = spawnSync('mount', ['--version']);
  return error === undefined ? undefined : 'no mount command here';
}

export class FaultMount {
  /** The directory behind the mount: what is done here meets no fault. */
  readonly below: string;
  /** Where it is shown. */
  readonly dir: string;
  readonly #scratch: string;
  readonly #server: ChildProcess;
  readonly #answers: AsyncIterableIterator<string>;
  readonly #lines: Interface;
  readonly #ended: Promise<unknown>;

  /** Two directories of its own: dispose of it in `after`, which also runs when the test has failed. */
  static async start(faults: Faults = {}): Promise<FaultMount> {
    const mount = new FaultMount();
    try {
      await mount.set(faults);
    } catch (error) {
      await mount.dispose();
      throw error;
    }
    return mount;
  }

  private constructor() {
    this.#scratch = mkdtempSync(join(tmpdir(), 'shardctl-fault-mount-'));
    this.below = join(this.#scratch, 'below');
    this.dir = join(this.#scratch, 'mount');
    mkdirSync(this.below);
    mkdirSync(this.dir);
    // In a process group of its own: what kills the test's group must leave it to unmount.
    this.#server = spawn(process.execPath, [SERVER, this.below, this.dir], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.#ended = new Promise((resolve) => this.#server.once('close', resolve));
    this.#server.stdin?.on('error', () => {}); // it could not mount: said by its missing answer
    this.#lines = createInterface({ input: this.#server.stdout as Readable });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** From now on these faults, and no others. */
  async set(faults: Faults): Promise<void> {
    (this.#server.stdin as Writable).write(`${toJson(faults)}\n`);
    const { done } = await this.#answers.next();
    if (done) throw new Error('the fault mount is not served: it could not be mounted, or its server died');
  }

  /** No faults any more, and nothing below. */
  async reset(): Promise<void> {
    await this.set({});
    for (const name of readdirSync(this.below)) rmSync(join(this.below, name), { recursive: true });
  }

  async dispose(): Promise<void> {
    spawnSync('umount', ['-l', this.dir]);
    this.#server.stdin?.end();
    await this.#ended;
    rmdirSync(this.dir); // fails where something is still mounted: what is below must not be removed through it
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
