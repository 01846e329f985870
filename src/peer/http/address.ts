/** Where a daemon is, and what it wants to see before it answers. */
import { displayUrl } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';

export interface Credentials {
  /** Of a bearer. */
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

export interface Address {
  /** Ends with a slash, and has no credentials. */
  readonly base: URL;
  /** Value of the `Authorization` header. */
  readonly authorization: string | undefined;
  /** What must not stand in a message. */
  readonly secrets: readonly string[];
}

/**
 * @param url of the API; `user:password@` in it counts when no other credentials are given
 * @throws ShardctlError `USAGE` when it is no http(s) URL
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
  const name = user ?? decodeURIComponent(base.username);
  const secret = user === undefined ? decodeURIComponent(base.password) : (password ?? '');
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
