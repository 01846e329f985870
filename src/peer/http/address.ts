/** The URL of a daemon, and the credentials that go with each request. */
import { displayUrl } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { percentDecoded } from '../../core/path-bytes.ts';

export interface Credentials {
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

export interface Address {
  /** Ends with a slash, and has no credentials. */
  readonly base: URL;
  /** Value of the `Authorization` header. */
  readonly authorization: string | undefined;
  /** Texts that must not stand in any message. */
  readonly secrets: readonly string[];
}

/**
 * @param url of the API; `user:password@` in it is used when no other credentials are given
 * @throws ShardctlError `USAGE` when it is not an http or https URL
 */
export function parseAddress(url: string, { token, user, password }: Credentials = {}): Address {
  let base: URL;
  try {
    base = new URL(url);
  } catch {
    throw new ShardctlError('USAGE', `"${displayUrl(url)}" is not a URL`, { hint: 'write for example http://127.0.0.1:5001' });
  }
  if (base.protocol !== 'http:' && base.protocol !== 'https:')
    throw new ShardctlError('USAGE', `"${displayUrl(url)}" is not an http or https URL`, {
      hint: 'write for example http://127.0.0.1:5001',
    });
  const name = user ?? decoded(base.username);
  const secret = user === undefined ? decoded(base.password) : (password ?? '');
  base.username = '';
  base.password = '';
  base.search = '';
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  if (token !== undefined) return { base, authorization: `Bearer ${token}`, secrets: [token] };
  if (name === '' && secret === '') return { base, authorization: undefined, secrets: [] };
  const basic = Buffer.from(`${name}:${secret}`).toString('base64');
  return { base, authorization: `Basic ${basic}`, secrets: [basic, secret].filter((text) => text !== '') };
}

/** "50%off" is taken as it stands. */
function decoded(part: string): string {
  return Buffer.from(percentDecoded(part), 'latin1').toString('utf8');
}
