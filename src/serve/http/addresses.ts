/** Where a server listens, as people write it. */
import { ShardctlError } from '../../core/errors.ts';

export interface TcpAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export const DEFAULT_ADDRESS: TcpAddress = { host: '127.0.0.1', port: 8080 };

/** @param text `HOST:PORT`, `[V6]:PORT`, `:PORT` for every address of this machine, or `PORT` @throws ShardctlError `USAGE` */
export function tcpAddress(text: string): TcpAddress {
  const [, v6, host, port] = /^(?:(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:[\]\s]*)):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new ShardctlError('USAGE', `"${text}" is no address to listen on`, {
      hint: 'write HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080',
    });
  }
  const named = v6 ?? host ?? DEFAULT_ADDRESS.host;
  return { host: named === '' ? '::' : named, port: Number(port) };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\./.test(host);
}

export function urlOf({ host, port }: TcpAddress, isSecure: boolean): string {
  return `${isSecure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
