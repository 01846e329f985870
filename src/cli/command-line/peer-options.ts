/** What `peers add` takes for every kind of peer. */
import { displayUrl } from '../../core/display.ts';
import { PEER_NAME, type PlacementConfig } from '../../home/config.ts';
import { type Args, usage } from './args.ts';
import { sizeOf, weightOf } from './quantities.ts';

/** `--name`. @throws ShardctlError `USAGE` when it, or what stands for it, cannot be the name of a peer */
export function peerName(args: Args, otherwise: string): string {
  const name = args.text('name') ?? otherwise;
  if (PEER_NAME.test(name)) return name;
  throw usage(`"${name}" cannot be the name of a peer; give one of letters, digits, ".", "_" and "-" with --name`, args.command);
}

/** The address that a daemon is set up by. @param example of one */
export function daemonUrl(args: Args, example: string): string {
  const url = args.argument(0);
  if (isUrl(url)) return url;
  throw usage(`"${displayUrl(url)}" is not an http or https URL, as ${example} is`, args.command);
}

/** `--gateway` */
export function gatewayUrl(args: Args): string | undefined {
  const gateway = args.text('gateway');
  if (gateway === undefined || isUrl(gateway)) return gateway;
  throw usage(`--gateway "${gateway}" is not an http or https URL`, args.command);
}

/** `--members`: names or IDs of members of an IPFS Cluster. */
export function membersIn(args: Args): string[] {
  return args
    .all('members')
    .flatMap(({ value }) => value.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** What every kind of peer may be given. */
export function commonOptions(args: Args): PlacementConfig {
  const [capacity, reserve, weight] = [sizeOf(args, 'capacity'), sizeOf(args, 'reserve'), weightOf(args)];
  return {
    tags: Object.fromEntries(args.all('tag').map(({ value }) => tagOf(value, args))),
    ...(capacity === undefined ? {} : { capacity }),
    ...(reserve === undefined ? {} : { reserve }),
    ...(weight === undefined ? {} : { weight }),
  };
}

function tagOf(text: string, args: Args): [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usage(`--tag "${text}" is not KEY=VALUE`, args.command);
}

export function isUrl(place: string): boolean {
  return /^https?:\/\//i.test(place);
}

/** A name made of the host and the port of a URL. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host.replaceAll(/[:[\]]+/g, '-') : '';
}
