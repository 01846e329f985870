/** `--token-file` of who reads somebody else's repository: the token that its `serve` asks for. Nobody else is sent it. */
import { readFileSync } from 'node:fs';
import { displayText } from '../../core/display.ts';
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import type { Context } from '../command-line/context.ts';

/** A `serve` looks at the password alone. */
const USER = 'token';

/**
 * @param source SRC @param via URLs of gateways
 * @returns the same, with the token in the URLs of the host that SRC names, or else the first of `via`; those with credentials keep them
 * @throws ShardctlError `USAGE` when the file cannot be read, or is not one token
 */
export function withToken(
  { args, absolute }: Pick<Context, 'args' | 'absolute'>,
  source: string,
  via: readonly string[],
): { readonly source: string; readonly via: readonly string[] } {
  const file = args.text('token-file');
  if (file === undefined) return { source, via };
  const token = tokenIn(absolute(file), file);
  const origin = [source, ...via].map(originOf).find((one) => one !== undefined);
  const given = (text: string): string => {
    const url = originOf(text) === origin && origin !== undefined ? new URL(text) : undefined;
    if (url === undefined || url.username !== '' || url.password !== '') return text;
    url.username = USER;
    url.password = encodeURIComponent(token);
    return url.href;
  };
  return { source: given(source), via: via.map(given) };
}

/** Undefined for what is no URL of a gateway. */
function originOf(text: string): string | undefined {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text).origin : undefined;
}

function tokenIn(path: string, file: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ShardctlError('USAGE', `cannot read the token in ${displayText(file)}: ${reasonOf(error)}`, { cause: error });
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new ShardctlError('USAGE', `${displayText(file)} is not one token`, {
    hint: 'the file holds the token alone, on one line; the lines NAME TOKEN are for `shardctl serve`',
  });
}
