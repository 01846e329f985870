/** The options of `serve`, and what else says how it serves: files that are read again on SIGHUP, and sockets that systemd has opened. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { displayPath } from '../../core/display.ts';
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { readTokens, Tokens } from '../../serve/access/tokens.ts';
import { LOG_FORMATS, type LogFormat } from '../../serve/http/access-log.ts';
import { DEFAULT_ADDRESS, tcpAddress } from '../../serve/http/addresses.ts';
import type { Certificate, Place } from '../../serve/http/listener.ts';
import { multiaddrOfUrl } from '../../serve/routing/multiaddr.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';

/** The first file descriptor that systemd hands over. */
const FIRST_FD = 3;
const MOST_WORKERS = 64;

export interface ServeOptions {
  readonly places: readonly Place[];
  readonly workers: number;
  /** Multiaddrs; undefined: those at which clients have reached it. */
  readonly announced: readonly string[] | undefined;
  readonly log: { readonly format: LogFormat; readonly path: string | undefined } | undefined;
  readonly isSecure: boolean;
  /** @throws ShardctlError `BAD_CONFIG` */
  readonly readCertificate: () => Certificate | undefined;
  /** @throws ShardctlError `BAD_CONFIG` */
  readonly readTokens: () => Tokens;
}

/** @throws ShardctlError `USAGE` */
export function serveOptionsOf({ args, absolute }: Context): ServeOptions {
  const [cert, key, tokens, log] = (['tls-cert', 'tls-key', 'token-file', 'access-log'] as const).map((name) => args.text(name));
  if ((cert === undefined) !== (key === undefined)) throw usage('--tls-cert and --tls-key go together', args.command);
  const workers = args.text('workers') ?? '1';
  if (!/^[1-9]\d?$/.test(workers) || Number(workers) > MOST_WORKERS) {
    throw usage(`--workers "${workers}" is not a number from 1 to ${MOST_WORKERS}`, args.command);
  }
  const format = args.text('access-log-format') ?? 'common';
  const known = LOG_FORMATS.find((name) => name === format);
  if (known === undefined) throw usage(`--access-log-format "${format}" is not ${LOG_FORMATS.join(' or ')}`, args.command);
  if (log === '-' && args.flag('json')) throw usage('--access-log - and --json both write to stdout', args.command);
  const announced = args.all('announce').map(({ value }) => announcedAddress(value, args.command));
  const given = args.all('listen').map(({ value }) => tcpAddress(value));
  const places = [...given, ...activatedSockets()];
  const [certPath, keyPath] = cert === undefined || key === undefined ? [] : [absolute(cert), absolute(key)];
  const tokenPath = tokens === undefined ? undefined : absolute(tokens);
  return {
    places: places.length === 0 ? [DEFAULT_ADDRESS] : places,
    workers: Number(workers),
    announced: announced.length === 0 ? undefined : announced,
    log: log === undefined ? undefined : { format: known, path: log === '-' ? undefined : absolute(log) },
    isSecure: certPath !== undefined,
    readCertificate: () => (certPath === undefined || keyPath === undefined ? undefined : { cert: fileAt(certPath), key: fileAt(keyPath) }),
    readTokens: () => (tokenPath === undefined ? Tokens.NONE : readTokens(tokenPath)),
  };
}

function announcedAddress(url: string, command: Context['args']['command']): string {
  const address = multiaddrOfUrl(url);
  if (address !== undefined) return address;
  throw usage(`--announce "${url}" is not the URL of a host, such as https://mirror.example`, command);
}

/** Sockets for this very process, or for the one whose worker it is (`sd_listen_fds(3)`). */
function activatedSockets(): Place[] {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  if (LISTEN_FDS === undefined || !/^\d{1,3}$/.test(LISTEN_FDS)) return [];
  if (LISTEN_PID !== String(process.pid) && !(cluster.isWorker && LISTEN_PID === String(process.ppid))) return [];
  return Array.from({ length: Number(LISTEN_FDS) }, (_, at) => ({ fd: FIRST_FD + at }));
}

function fileAt(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `cannot read ${displayPath(toBytes(path))}: ${reasonOf(error)}`, { cause: error });
  }
}
