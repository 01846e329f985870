/** Finds out what a SRC means now: the block at its root, and the gateways to read it from. */
import { resolveTxt } from 'node:dns/promises';
import { displayText, displayUrl, shellWord } from '../core/display.ts';
import { errnoOf, messageOf, ShardctlError } from '../core/errors.ts';
import type { BlockId, ByteString, Tags } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';
import { readCid } from '../dag/cid.ts';
import { anyCidIn, keyCidIn, keyNameOf } from '../dag/cid-text.ts';
import { snapshotAt } from '../snapshot/snapshot-date.ts';
import { GatewayFailure } from './failure.ts';
import type { Gateway } from './gateway.ts';
import { Gateways, type GatewaysOptions } from './gateways.ts';
import { type IpnsRecord, MAX_RECORD_BYTES, openIpnsRecord } from './ipns-record.ts';
import type { GatewayAddress } from './request.ts';
import { decoded, pathIn, readSourceText, type SourceText } from './source-text.ts';

/** A list of snapshots has about 400 bytes for each. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
/** Parts of a URL that are tried as the name of a repository. */
const MOST_PARTS = 6;
/** A name may lead to another name. */
const MOST_NAMES = 4;
const MOST_LINKS = 16;
/** Of what a stranger wrote in the place of a CID, in characters. */
const MOST_SHOWN = 80;

export interface Source {
  /** A snapshot, or a tree by itself. */
  readonly root: BlockId;
  /** Inside the tree; empty for all of it. */
  readonly path: ByteString;
  readonly gateways: readonly GatewayAddress[];
}

export interface ResolveOptions extends GatewaysOptions {
  /** URLs of gateways. */
  readonly via: readonly string[];
  /** Milliseconds since 1970: until when a name may be believed depends on it. */
  readonly now: number;
  /** Told of what had to be believed although nothing proves it. */
  readonly onTrusted?: (what: string) => void;
  /** Instead of the DNS of this machine, in tests: texts of the records. */
  readonly lookUp?: (name: string) => Promise<readonly string[]>;
}

/**
 * @param text as of `readSourceText`, or already read
 * @throws ShardctlError `USAGE`, `NOT_FOUND` when there is no such name or repository, `TOO_FEW_PEERS` when nobody answers, `DAMAGE` when
 * a record is not signed by its key
 */
export async function resolveSource(text: string | SourceText, options: ResolveOptions): Promise<Source> {
  const said = typeof text === 'string' ? readSourceText(text) : text;
  if (said === undefined) throw new ShardctlError('USAGE', `"${displayText(String(text))}" is no CID, no name and no URL`);
  const via = options.via.map((url) => ({ url }));
  if (said.kind === 'served') return await servedSource(said, via, options);
  const gateways = [...(said.gateway === undefined ? [] : [{ url: said.gateway }]), ...via];
  if (gateways.length === 0) {
    throw new ShardctlError('USAGE', 'there is no gateway to read from', { hint: 'name one or several: --via http://127.0.0.1:8080' });
  }
  if (said.kind === 'cid') return { root: said.id, path: said.path, gateways };
  return await namedSource(said, gateways, options);
}

/** The newest snapshot of a repository of a `serve`, or the one that `@` names. */
async function servedSource(
  { origin, parts }: SourceText & { readonly kind: 'served' },
  via: readonly GatewayAddress[],
  options: ResolveOptions,
): Promise<Source> {
  for (let at = 0; at < Math.min(parts.length, MOST_PARTS); at++) {
    const url = `${origin}${parts
      .slice(0, at)
      .map((part) => `${part}/`)
      .join('')}`;
    const said = decoded(parts[at] as string);
    const [, name = '', when] = /^([^@]*)(?:@(.*))?$/s.exec(said) ?? [];
    const snapshots = await snapshotsAt({ url }, name, options);
    if (snapshots === undefined) continue;
    const oldestFirst = snapshots.toSorted((a, b) => a.number - b.number);
    const found = when === undefined ? oldestFirst.at(-1) : snapshotAt(oldestFirst, when, tagsIn(oldestFirst));
    if (found === undefined) throw new ShardctlError('NOT_FOUND', `there is no snapshot ${displayText(said)} at ${displayUrl(url)}`);
    return { root: listedId(found, url), path: pathIn(parts.slice(at + 1)), gateways: [{ url }, ...via] };
  }
  throw new ShardctlError('NOT_FOUND', `no repository is served at ${displayUrl(origin)}${parts.join('/')}`, {
    hint: 'a private one needs its token: http://user:TOKEN@host/NAME; for a gateway write its CID, with --via URL',
  });
}

function listedId({ number, cid }: ListedSnapshot, url: string): BlockId {
  const it = anyCidIn(cid);
  const id = it === undefined ? undefined : readCid(it.bytes);
  if (id !== undefined) return { codec: id.codec, digest: id.digest };
  const shown = displayText(cid.slice(0, MOST_SHOWN));
  throw new ShardctlError('DAMAGE', `${displayUrl(url)} gives "${shown}" for the CID of snapshot ${number}, which is none`, {
    hint: 'ask whoever runs it; with the CID of a snapshot in the place of SRC, and --via URL, other gateways are read',
  });
}

interface ListedSnapshot {
  readonly number: number;
  readonly time: string;
  readonly cid: string;
  /** Absent where the `serve` is older than tags. What a stranger writes there is looked at when a tag is looked for. */
  readonly tags?: unknown;
}

function tagsIn(snapshots: readonly ListedSnapshot[]): Tags {
  const pairs = snapshots.flatMap(({ tags, number }) =>
    Array.isArray(tags) ? tags.map((tag): [string, number] => [String(tag), number]) : [],
  );
  return Object.fromEntries(pairs);
}

/** Undefined when no repository of that name is there. */
async function snapshotsAt(address: GatewayAddress, name: string, options: ResolveOptions): Promise<ListedSnapshot[] | undefined> {
  const gateways = new Gateways([address], options);
  try {
    const asking = { path: `${encodeURIComponent(name)}@/?format=json`, headers: { accept: 'application/json' }, signal: options.signal };
    const text = await gateways.asking(`the snapshots of ${displayText(name)}`, async (gateway) => {
      try {
        return await gateway.small(asking, MAX_LIST_BYTES);
      } catch (error) {
        if (error instanceof GatewayFailure && (error.kind === 'absent' || error.kind === 'lies')) return undefined;
        throw error;
      }
    });
    return text === undefined ? undefined : listIn(text);
  } catch (error) {
    if (!(error instanceof ShardctlError) || error.code !== 'TOO_FEW_PEERS') throw error;
    throw new ShardctlError('TOO_FEW_PEERS', `SRC cannot be asked for its snapshots: ${error.message}. Nothing was read instead`, {
      hint: 'what --via names has blocks, and does not say which snapshot is meant: write the CID of one in the place of SRC, and --via URL',
      cause: error,
    });
  } finally {
    gateways.close();
  }
}

function listIn(text: Buffer): ListedSnapshot[] | undefined {
  try {
    const list = JSON.parse(text.toString('utf8')) as unknown;
    if (!Array.isArray(list)) return undefined;
    const known = list.filter(
      (one: Partial<ListedSnapshot> | null): one is ListedSnapshot =>
        typeof one?.cid === 'string' && typeof one.time === 'string' && Number.isSafeInteger(one.number),
    );
    return known.length === 0 ? undefined : known;
  } catch {
    return undefined;
  }
}

async function namedSource(
  said: SourceText & { readonly kind: 'name' },
  addresses: readonly GatewayAddress[],
  options: ResolveOptions,
): Promise<Source> {
  let { name, path } = said;
  for (let hops = 0; hops < MOST_NAMES; hops++) {
    const key = keyCidIn(name);
    const value =
      key === undefined ? await dnsLinkOf(name, addresses, options) : (await recordOf(keyNameOf(key), addresses, options)).value;
    const to = readSourceText(value);
    if (to === undefined || to.kind === 'served')
      throw new ShardctlError('DAMAGE', `${displayText(name)} leads to "${displayText(value)}"`);
    path = path === '' ? to.path : joinBytes(to.path, path);
    if (to.kind === 'cid') return { root: to.id, path, gateways: addresses };
    name = to.name;
  }
  throw new ShardctlError('DAMAGE', `${displayText(said.name)} leads from name to name`);
}

/** The newest record that any of the gateways gives: each may have an older one. */
async function recordOf(name: string, addresses: readonly GatewayAddress[], options: ResolveOptions): Promise<IpnsRecord> {
  const asking = {
    path: `ipns/${encodeURIComponent(name)}?format=ipns-record`,
    headers: { accept: 'application/vnd.ipfs.ipns-record' },
    signal: options.signal,
  };
  const answers = await eachAsked(addresses, options, `the record of ${name}`, async (gateway) => {
    const bytes = await gateway.smallOrAbsent(asking, MAX_RECORD_BYTES);
    return bytes === undefined ? undefined : openIpnsRecord(name, bytes, options.now);
  });
  let newest: IpnsRecord | undefined;
  for (const answer of answers) {
    const record = answer.status === 'fulfilled' ? answer.value : undefined;
    if (record !== undefined && (newest === undefined || record.sequence > newest.sequence)) newest = record;
  }
  if (newest !== undefined) return newest;
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  throw new ShardctlError('NOT_FOUND', `no gateway finds the IPNS name ${name}: ${namesOf(addresses)}`, {
    hint: 'write the CID of a snapshot in its place, or name another gateway with --via URL; a record that is not renewed is lost after two days',
  });
}

/** What each gateway answers by itself. */
async function eachAsked<T>(
  addresses: readonly GatewayAddress[],
  options: ResolveOptions,
  what: string,
  ask: (gateway: Gateway) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  const answers = await Promise.allSettled(
    addresses.map(async (address) => {
      const gateways = new Gateways([address], options);
      try {
        return await gateways.asking(what, ask);
      } finally {
        gateways.close();
      }
    }),
  );
  options.signal?.throwIfAborted();
  return answers;
}

function namesOf(addresses: readonly GatewayAddress[]): string {
  return addresses.map(({ url }) => displayUrl(url)).join(', ');
}

/** There is no text where DNS says so; where it does not answer, nobody else is believed instead. @throws ShardctlError `TOO_FEW_PEERS` */
function noText(error: unknown, name: string): readonly string[] {
  const errno = errnoOf(error);
  if (errno === 'ENOTFOUND' || errno === 'ENODATA') return [];
  throw new ShardctlError('TOO_FEW_PEERS', `DNS does not say what ${displayText(name)} leads to: ${messageOf(error)}`, {
    hint: 'run the same command again, or write the CID that the name leads to',
    cause: error,
  });
}

/** By DNS, which this machine asks itself; where it knows no such name, by the word of a gateway. */
async function dnsLinkOf(name: string, addresses: readonly GatewayAddress[], options: ResolveOptions): Promise<string> {
  const lookUp = options.lookUp ?? (async (host) => (await resolveTxt(host)).map((parts) => parts.join('')));
  for (const host of [`_dnslink.${name}`, name]) {
    const texts = await lookUp(host).catch((error: unknown) => noText(error, name));
    const links = texts.slice(0, MOST_LINKS).flatMap((text) => /^dnslink=(\/ip[fn]s\/\S+)$/.exec(text)?.[1] ?? []);
    const [link] = links.sort();
    if (link !== undefined) return link;
  }
  const answers = await eachAsked(addresses, options, `what ${displayText(name)} leads to`, (gateway) =>
    gateway.rootOf(`ipns/${encodeURIComponent(name)}/`, options.signal),
  );
  const failed = answers.find((answer) => answer.status === 'rejected');
  const root = answers.flatMap((answer) => (answer.status === 'fulfilled' && answer.value !== undefined ? [answer.value] : []))[0];
  if (root === undefined && failed !== undefined) throw failed.reason;
  if (root === undefined) {
    throw new ShardctlError('NOT_FOUND', `DNS has no link for ${displayText(name)}, nor does a gateway know one: ${namesOf(addresses)}`, {
      hint: `\`dig TXT ${shellWord(`_dnslink.${name}`)}\` shows what DNS says; check the name, or write the CID of a snapshot in its place`,
    });
  }
  options.onTrusted?.(`DNS has no link for ${displayText(name)} here: a gateway says that it leads to /ipfs/${root}`);
  return `/ipfs/${root}`;
}
