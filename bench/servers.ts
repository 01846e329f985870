/** What is compared on reading by HTTP: `shardctl serve`, nginx over the same files, and the gateway of a Kubo that holds the same blocks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Command } from '../src/measure/measure.ts';
import { binary, measure, SHARDCTL } from './tools.ts';

export const REPOSITORY = 'bench';

/** What servers read from, in one directory. */
export interface Store {
  /** The files themselves. */
  readonly source: string;
  /** A home that has them, with one peer that is a directory. */
  readonly home: string;
  /** CID of the tree. */
  readonly tree: string;
  /** Folder for what servers write. */
  readonly scratch: string;
}

export interface Running {
  readonly pid: number;
  /** What stands before the path of a file. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface Server {
  readonly name: string;
  readonly version: Command;
  readonly start: (store: Store, signal: AbortSignal) => Promise<Running>;
}

/** All that may take part: one of each kind that works with several processes for each number of them. */
export function serversOf(workers: readonly number[]): readonly Server[] {
  return [...workers.flatMap((count) => [nginx(count), serve(count)]), kubo()];
}

function named(name: string, workers: number): string {
  return workers === 1 ? name : `${name} (${workers} workers)`;
}

function serve(workers: number): Server {
  return {
    name: named('shardctl serve', workers),
    version: { argv: [process.execPath, SHARDCTL, '--version'] },
    start: async ({ home, scratch }) => {
      const port = await freePort();
      const options = ['--listen', `127.0.0.1:${port}`, ...(workers === 1 ? [] : ['--workers', String(workers)])];
      const argv = [process.execPath, SHARDCTL, 'serve', ...options, '--home', home];
      return await running(argv, join(scratch, `serve-${workers}.log`), `http://127.0.0.1:${port}/${REPOSITORY}`);
    },
  };
}

/** Debian puts it where only root looks for programs. */
const NGINX = existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx';
const NGINX_PATHS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** As Debian sets it up, without its access log and without its limit of 1,000 requests for a connection. */
function nginx(workers: number): Server {
  return {
    name: named('nginx', workers),
    version: { argv: ['sh', '-c', `${NGINX} -v 2>&1`] },
    start: async ({ source, scratch }) => {
      const port = await freePort();
      const file = join(scratch, `nginx-${workers}`);
      writeFileSync(
        `${file}.conf`,
        `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes ${workers}; daemon off; pid ${file}.pid; error_log ${file}.error;
events { worker_connections 1024; }
http {
  ${NGINX_PATHS.map((name) => `${name}_temp_path ${file}.${name};`).join(' ')}
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type application/octet-stream;
  server { listen 127.0.0.1:${port}; root ${source}; }
}
`,
      );
      return await running([NGINX, '-p', scratch, '-e', `${file}.error`, '-c', `${file}.conf`], `${file}.log`, `http://127.0.0.1:${port}`);
    },
  };
}

/** The folder as the module `trees`. */
export async function rsyncDaemon(folder: string, scratch: string): Promise<Running> {
  const port = await freePort();
  const file = join(scratch, 'rsyncd');
  const owner = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';
  writeFileSync(`${file}.conf`, `use chroot = no\n${owner}log file = ${file}.log\n[trees]\npath = ${folder}\nread only = yes\n`);
  const argv = ['rsync', '--daemon', '--no-detach', `--config=${file}.conf`, `--port=${port}`, '--address=127.0.0.1'];
  return await running(argv, `${file}.out`, `http://127.0.0.1:${port}`, {}, takesConnections);
}

/** Without a network: what it does not have is not looked for. */
function kubo(): Server {
  const ipfs = binary('ipfs');
  return {
    name: 'Kubo gateway',
    version: { argv: [ipfs, 'version'] },
    start: async ({ home, tree, scratch }, signal) => {
      const repo = join(scratch, 'kubo');
      const env = { IPFS_PATH: repo, IPFS_TELEMETRY: 'off' };
      const log = join(scratch, 'kubo.log');
      const port = await freePort();
      const car = join(scratch, 'tree.car');
      const run = async (...args: string[]) => await measure({ argv: [ipfs, ...args], env }, log, signal);
      await run('init', '--profile=test');
      await run('config', 'Addresses.Gateway', `/ip4/127.0.0.1/tcp/${port}`);
      await run('config', '--json', 'Addresses.Swarm', '[]');
      await measure({ argv: [process.execPath, SHARDCTL, 'export', REPOSITORY, '--car', car, '--home', home, '--quiet'] }, log, signal);
      await run('dag', 'import', '--pin-roots=false', car);
      return await running([ipfs, 'daemon', '--offline'], log, `http://127.0.0.1:${port}/ipfs/${tree}`, env);
    },
  };
}

/** Starts a server, and resolves when it takes connections. */
async function running(
  argv: readonly string[],
  log: string,
  url: string,
  env: Readonly<Record<string, string>> = {},
  isUp: (url: string) => Promise<boolean> = (it) => fetch(it).then(takes, () => false),
): Promise<Running> {
  const output = openSync(log, 'a');
  const child = spawn(argv[0] as string, argv.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', output, output] });
  child.on('error', () => {}); // seen below
  while (!(await isUp(url))) {
    if (child.pid === undefined || child.exitCode !== null) {
      throw new Error(`${argv.join(' ')} ended with ${child.exitCode}:\n${readFileSync(log, 'utf8').slice(-2000)}`);
    }
    await setTimeout(50);
  }
  return { pid: child.pid as number, url, stop: async () => await stop(child) };
}

async function takesConnections(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function takes(response: Response): Promise<boolean> {
  await response.body?.cancel();
  return true;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
