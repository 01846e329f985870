/** Multiaddrs as text: made of sockets and URLs, and sorted by who can reach them. */
import { isIPv4, isIPv6 } from 'node:net';

/** Who can reach an address: programs on this machine, machines of the same private network, or everybody. */
export type AddressScope = 'machine' | 'network' | 'everybody';

/** `/ip4/127.0.0.1/tcp/8080/http`, or `/dns/…`; undefined for no host. @param host a name, or an address as sockets give it */
export function httpMultiaddr(host: string, port: number, isTls: boolean): string | undefined {
  if (host === '') return undefined;
  const plain = host.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const kind = isIPv4(plain) ? 'ip4' : isIPv6(plain) ? 'ip6' : 'dns';
  return `/${kind}/${plain}/tcp/${port}${isTls ? '/tls' : ''}/http`;
}

/** `/dns/mirror.example/tcp/443/tls/http` for `https://mirror.example`; undefined for what is no URL of a host alone. */
export function multiaddrOfUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') return undefined;
  const isTls = url.protocol === 'https:';
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  return httpMultiaddr(url.hostname.replace(/^\[|\]$/g, ''), port, isTls);
}

/** @param multiaddr of any kind: what does not begin with an IP address, as a name does, everybody may know */
export function scopeOf(multiaddr: string): AddressScope {
  const [, kind, value = ''] = multiaddr.replace(/^\/ip6zone\/[^/]*/, '').split('/');
  if (kind === 'ip4' || kind === 'ip6') return scopeOfIp(value);
  return kind === 'unix' || value === 'localhost' ? 'machine' : 'everybody';
}

/** @param address as sockets give it */
export function scopeOfIp(address: string): AddressScope {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  if (isIPv4(plain)) {
    const [a = 0, b = 0] = plain.split('.').map(Number);
    if (a === 127 || a === 0) return 'machine';
    const isPrivate = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 100 && b >= 64 && b < 128);
    return isPrivate || (a === 169 && b === 254) ? 'network' : 'everybody';
  }
  if (plain === '::1' || plain === '::') return 'machine';
  return /^(f[cd]|fe[89ab])/.test(plain) ? 'network' : 'everybody';
}
