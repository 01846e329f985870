/**
 * A machine for a trial that lasts days of its own clock: disks that can be taken away and filled, a user who runs the jobs, a hook that
 * notes what it is told. All of it lies in one file system in memory, which goes away when the test ends or dies.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { errnoOf } from '../../core/errors.ts';
import { made } from '../package-mirrors/files.ts';
import { BIN } from '../program.ts';
import type { Job, Outcome, Places } from './job.ts';

const NOBODY = 65534;
const AS_USER = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', '--'];
const CLOCK = new URL('./clock.js', import.meta.url).href;
const FAULT = new URL('../fault.js', import.meta.url).href;
const HOUR_MS = 3_600_000;
const SIGNAL_CODES = { SIGKILL: 137, SIGTERM: 143 } as const;

/** Why there can be no such machine here, for `skip`. */
export function withoutMachine(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux, to mount';
  if (spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0) return 'nothing can be mounted here';
  const [command = '', ...args] = [...AS_USER, 'test', '-r', BIN, '-a', '-x', process.execPath];
  return spawnSync(command, args).status === 0 ? false : 'the program may not be read by others here';
}

export class Machine {
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-days-'));
  /** Where what the docs name lies here. */
  readonly places: Places = [
    ['/var/lib/prometheus/node-exporter', this.path('metrics')],
    ['/var/lib/shardctl', this.path('disks/home/home')],
  ];
  readonly #reaper: ChildProcess;
  readonly #began: number;

  constructor() {
    made('mount', ['-t', 'tmpfs', '-o', 'size=1g,mode=755', 'tmpfs', this.dir]);
    // Its input ends with this process, however that ends.
    const script = 'cat >/dev/null; kill $(cat "$1"/pid-*) 2>/dev/null; umount -R -l "$1"; rmdir "$1"';
    this.#reaper = spawn('/bin/sh', ['-c', script, 'sh', this.dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    for (const dir of ['bin', 'disks', 'real', 'metrics', 'user']) mkdirSync(this.path(dir));
    for (const dir of ['metrics', 'user']) chownSync(this.path(dir), NOBODY, NOBODY);
    symlinkSync(BIN, this.path('bin', 'shardctl'));
    // The first midnight for which no file of today is of the future.
    this.#began = Math.ceil(Date.now() / (24 * HOUR_MS)) * 24 * HOUR_MS + 24 * HOUR_MS;
    this.setClock(0, 0);
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  /** From midnight of the first day on. Never back. */
  setClock(hour: number, minute: number): void {
    writeFileSync(this.path('clock'), `${this.timeAt(hour, minute) - Date.now()}`);
  }

  /** Milliseconds since 1970. @param hour counted from the first day on */
  timeAt(hour: number, minute: number): number {
    return this.#began + hour * HOUR_MS + minute * 60_000;
  }

  /** Makes a disk of its own and puts it in place. */
  addDisk(name: string, mib: number): void {
    const disk = this.path('real', name);
    for (const dir of [disk, this.path('disks', name)]) mkdirSync(dir);
    made('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=755`, 'tmpfs', disk]);
    chownSync(disk, NOBODY, NOBODY);
    this.attach(name);
  }

  /** The disk is at its place again, with all that it had. */
  attach(name: string): void {
    made('mount', ['--bind', this.path('real', name), this.path('disks', name)]);
  }

  /** Where it was there is an empty directory, as for a disk that died and was not mounted after the next start. */
  detach(name: string): void {
    made('umount', ['-l', this.path('disks', name)]);
  }

  /** To the last byte, by others. */
  fill(name: string): void {
    const fd = openSync(this.path('real', name, 'of-others'), 'w');
    try {
      for (const size of [1 << 20, 4096, 1])
        try {
          for (;;) writeSync(fd, Buffer.alloc(size));
        } catch (error) {
          if (errnoOf(error) !== 'ENOSPC') throw error;
        }
    } finally {
      closeSync(fd);
    }
  }

  makeRoom(name: string): void {
    rmSync(this.path('real', name, 'of-others'));
  }

  /** @param fault for `testing/fault.ts`: what happens to it at its Nth write @returns when it and all that it started have ended */
  async run({ argv, environment }: Pick<Job, 'argv' | 'environment'>, fault?: string): Promise<Outcome> {
    const [command = '', ...args] = [...AS_USER, ...argv];
    const child = spawn(command, args, { cwd: '/', env: this.#environment(environment, fault), stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close').then(([code, signal]) => (code ?? SIGNAL_CODES[signal as 'SIGKILL']) as number),
    ]);
    return { code, output: stdout + stderr };
  }

  /** What the operator types, when all is set up and when it is over. @throws Error where it does not end with 0 */
  async types(line: string): Promise<string> {
    const { code, output } = await this.run({
      argv: ['/bin/sh', '-c', line],
      environment: { SHARDCTL_HOME: this.path('disks/home/home') },
    });
    if (code !== 0) throw new Error(`${line}: exit code ${code}\n${output}`);
    return output;
  }

  /** Starts a service on a socket that is open already, as systemd does. @returns its URL, and what stops it */
  async listen({
    argv,
    environment,
  }: Pick<Job, 'argv' | 'environment'>): Promise<{ readonly url: string; readonly stop: () => Promise<number> }> {
    const socket = createServer().listen(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address() as { port: number };
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
    const command = ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...AS_USER, ...argv];
    const env = { ...this.#environment(environment), LISTEN_FDS: '1' };
    const child = spawn('/bin/sh', command, { cwd: '/', env, stdio: ['ignore', 'ignore', 'pipe', fd] });
    writeFileSync(this.path(`pid-${child.pid}`), `${child.pid}`);
    await once(child.stderr as Readable, 'data');
    socket.close();
    const stop = async () => {
      const gone = once(child, 'close');
      rmSync(this.path(`pid-${child.pid}`));
      child.kill('SIGTERM');
      return (await gone)[0] as number;
    };
    return { url: `http://127.0.0.1:${port}`, stop };
  }

  /** What cron gives a command, and what makes it a run of this clock. */
  #environment(environment: Job['environment'], fault?: string): NodeJS.ProcessEnv {
    return {
      PATH: [this.path('bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
      HOME: this.path('user'),
      LOGNAME: 'shardctl',
      SHARDCTL_TEST_CLOCK: this.path('clock'),
      NODE_OPTIONS: `--import ${CLOCK}${fault === undefined ? '' : ` --import ${FAULT}`}`,
      ...(fault === undefined ? {} : { SHARDCTL_FAULT: fault }),
      ...environment,
    };
  }

  async dispose(): Promise<void> {
    const gone = once(this.#reaper, 'close');
    this.#reaper.stdin?.end();
    await gone;
  }
}
