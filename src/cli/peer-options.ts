/** Options that all kinds of `peers add` have. */
import { type Args, usage } from './args.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** `--name`, or the fallback. @throws ShardctlError `USAGE` when it cannot be the name of a peer */
export function peerName(args: Args, fallback: string): string {
  const name = args.text('name') ?? fallback;
  if (NAME.test(name)) return name;
  throw usage(`"${name}" cannot be the name of a peer; give one of letters, digits, ".", "_" and "-" with --name`, args.command);
}

/** Every `--tag KEY=VALUE`. */
export function tagsOf(args: Args): Record<string, string> {
  return Object.fromEntries(args.all('tag').map(({ value }) => tagOf(value, args)));
}

function tagOf(text: string, args: Args): [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usage(`--tag "${text}" is not KEY=VALUE`, args.command);
}
