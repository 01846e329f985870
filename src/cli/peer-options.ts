/** What `peers add` takes for every kind of peer. */
import { sizeOf } from './add-options.ts';
import { type Args, usage } from './args.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** `--name`. @throws ShardctlError `USAGE` when it, or what stands for it, cannot be the name of a peer */
export function peerName(args: Args, otherwise: string): string {
  const name = args.text('name') ?? otherwise;
  if (NAME.test(name)) return name;
  throw usage(`"${name}" cannot be the name of a peer; give one of letters, digits, ".", "_" and "-" with --name`, args.command);
}

/** `--tag KEY=VALUE`, any number of them, and `--capacity`. */
export function commonOptions(args: Args): { readonly tags: Readonly<Record<string, string>>; readonly capacity?: number } {
  const capacity = sizeOf(args, 'capacity');
  const tags = Object.fromEntries(args.all('tag').map(({ value }) => tagOf(value, args)));
  return { tags, ...(capacity === undefined ? {} : { capacity }) };
}

function tagOf(text: string, args: Args): [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usage(`--tag "${text}" is not KEY=VALUE`, args.command);
}
