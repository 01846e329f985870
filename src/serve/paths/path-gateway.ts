/** Answers requests for paths: finds what is meant, and says how the answer begins, as plain data. Sending it is `path-routes.ts`. */

import type { IncomingHttpHeaders } from 'node:http';
import { type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { NotInTree } from '../../read/tree/tree.ts';
import { TreePaths } from '../../read/tree/tree-paths.ts';
import type { MirrorView, ServedRepository } from '../mirror.ts';
import { type Address, encodeName, encodePath } from './address.ts';
import { type ByteRange, decide, noSuchBytes, partOf } from './conditions.ts';
import { LINE_HEADERS } from './content-type.ts';
import type { ListingForm } from './listing.ts';
import { LISTING_POLICY } from './page.ts';
import { type DirectoryResource, etagOf, type FileResource, preferenceOf, type Resource, resourceAt, type TreeToRead } from './resource.ts';
import { decodedSnapshot, meantSnapshot, NoSuchSnapshot, snapshotBefore } from './snapshot-address.ts';

export interface PathRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly address: Address;
}

/** How an answer begins, and what follows. */
export interface PathAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly resource: FileResource; readonly range: ByteRange }
  | { readonly kind: 'listing'; readonly listing: ListingBody }
  | { readonly kind: 'snapshots'; readonly repository: ServedRepository; readonly form: ListingForm };

export interface ListingBody {
  readonly repository: ServedRepository;
  readonly tree: TreeToRead;
  readonly directory: DirectoryResource['directory'];
  readonly address: Address;
  readonly form: ListingForm;
}

const NONE: Body = { kind: 'none' };

export interface PathGatewayOptions {
  /** Whether shared caches must not keep an answer that lasts. */
  readonly isPrivate: (name: string) => boolean;
}

export class PathGateway {
  readonly #paths = new TreePaths();
  readonly #isPrivate: (name: string) => boolean;

  constructor({ isPrivate }: PathGatewayOptions) {
    this.#isPrivate = isPrivate;
  }

  /**
   * @param repository which the request may read; undefined when there is none of that name
   * @throws ShardctlError `DAMAGE`, `TOO_FEW_PEERS`
   */
  async answer(request: PathRequest, repository: ServedRepository | undefined, view: MirrorView): Promise<PathAnswer> {
    if (repository === undefined) return notFound('there is nothing here by that name');
    const { address } = request;
    if (address.when === '') return snapshotsAnswer(request, repository);
    try {
      const { snapshot, isFixed } = meantSnapshot(repository, address.when);
      const isPrivate = this.#isPrivate(repository.name);
      const cacheControl = isPrivate ? (isFixed ? PRIVATE_FOR_EVER : PRIVATE) : isFixed ? FOR_EVER : REVALIDATED;
      return await this.#fromSnapshot(request, repository, view, snapshot, cacheControl);
    } catch (error) {
      if (error instanceof NotInTree || error instanceof NoSuchSnapshot) return notFound(error.message);
      throw error;
    }
  }

  async #fromSnapshot(
    request: PathRequest,
    repository: ServedRepository,
    view: MirrorView,
    snapshot: SnapshotRecord,
    cacheControl: string,
  ): Promise<PathAnswer> {
    const { address, headers } = request;
    const tree = this.#treeOf(view, snapshot);
    const prefer = preferenceOf(headers.accept);
    let resource: Resource;
    try {
      resource = await resourceAt(tree, address.path, prefer);
    } catch (error) {
      const earlier = error instanceof NotInTree && address.when === undefined ? snapshotBefore(repository, snapshot) : undefined;
      const older = earlier === undefined ? undefined : await this.#fileIn(view, earlier, address);
      if (earlier === undefined || older === undefined) throw error;
      return fileAnswer(request, older, cacheControl, earlier);
    }
    if (resource.kind === 'file') {
      if (address.endsInSlash) throw new NotInTree('NOT_FOUND', 'that is a file, and not a directory');
      return fileAnswer(request, resource, cacheControl, address.when === undefined ? undefined : snapshot);
    }
    if (!address.endsInSlash) return redirect(address, cacheControl);
    const query = new URLSearchParams(address.query);
    if (resource.index !== undefined && !query.has('list')) return fileAnswer(request, resource.index, cacheControl, undefined);
    const form = formOf(query, headers.accept);
    return listingAnswer(request, { repository, tree, directory: resource.directory, address, form }, cacheControl);
  }

  /** A file that the snapshot before the head has: whoever has read `InRelease` finds the files that it names. */
  async #fileIn(view: MirrorView, snapshot: SnapshotRecord, { path, endsInSlash }: Address): Promise<FileResource | undefined> {
    if (endsInSlash) return undefined;
    try {
      const resource = await resourceAt(this.#treeOf(view, snapshot), path, 'html');
      return resource.kind === 'file' ? resource : undefined;
    } catch (error) {
      if (error instanceof NotInTree) return undefined;
      throw error;
    }
  }

  #treeOf({ blocks }: MirrorView, snapshot: SnapshotRecord): TreeToRead {
    const { root, committed } = decodedSnapshot(snapshot);
    return { root, committed, blocks, paths: this.#paths };
  }
}

/** The head may be another one at the next request. */
const REVALIDATED = 'no-cache';
const PRIVATE = 'private, no-cache';
export const FOR_EVER = 'public, max-age=31536000, immutable';
export const PRIVATE_FOR_EVER = 'private, max-age=31536000, immutable';

/** Names the snapshot from which an answer comes, where it is not the head. */
export const SNAPSHOT_HEADER = 'shardctl-snapshot';

export function fileAnswer(
  { method, headers }: Pick<PathRequest, 'method' | 'headers'>,
  resource: FileResource,
  cacheControl: string,
  snapshot: SnapshotRecord | undefined,
): PathAnswer {
  const { size, validators } = resource;
  const decision = decide(headers, validators, size, method);
  // Names are added one by one: several spreads in one literal took 10 µs.
  const common: Record<string, string> = { ...resource.headers };
  common['cache-control'] = cacheControl;
  if (snapshot !== undefined) common[SNAPSHOT_HEADER] = encodeURI(snapshotName(snapshot));
  switch (decision.status) {
    case 200:
    case 206: {
      const { from, to, headers } = partOf(decision, size);
      return {
        status: decision.status,
        headers: Object.assign(common, headers),
        // A range is looked at for GET alone, and is never empty.
        body: method === 'HEAD' || size === 0 ? NONE : { kind: 'file', resource, range: { from, to } },
      };
    }
    case 304: {
      // RFC 9110, 15.4.5: what describes a body is left out.
      const { 'content-type': _, 'accept-ranges': __, ...rest } = common;
      return { status: 304, headers: rest, body: NONE };
    }
    case 416:
      return plain(416, 'the file has no such bytes', { ...noSuchBytes(size), etag: validators.etag });
    default:
      return plain(412, 'the file is not the one that the request is meant for');
  }
}

/** Where an address of a directory leads that lacks its slash. Made from what was understood, so that it leads nowhere else. */
function redirect({ name, when, path, query }: Address, cacheControl: string): PathAnswer {
  const location = `${encodeName(name, when)}${path === '' ? '' : `${encodePath(path)}/`}${query}`;
  return plain(301, location, { location, 'cache-control': cacheControl });
}

function listingAnswer({ method, headers }: PathRequest, listing: ListingBody, cacheControl: string): PathAnswer {
  // Another etag than the directory's own: a program of a later version may list it in another way.
  const etag = `${etagOf(listing.directory).slice(0, -1)}.list-${listing.form}-${LISTING_VERSION}"`;
  const common = { etag, 'cache-control': cacheControl, vary: 'Accept', ...LISTING_HEADERS[listing.form] };
  const { status } = decide(headers, { etag, modified: undefined }, undefined, method);
  if (status === 412) return plain(412, 'the listing is not the one that the request is meant for');
  if (status === 304) return { status, headers: common, body: NONE };
  return { status: 200, headers: common, body: method === 'HEAD' ? NONE : { kind: 'listing', listing } };
}

function snapshotsAnswer({ method, headers, address }: PathRequest, repository: ServedRepository): PathAnswer {
  if (address.path !== '') return notFound('a number, a date or a tag follows the "@"');
  if (!address.endsInSlash) return redirect(address, REVALIDATED);
  const form = formOf(new URLSearchParams(address.query), headers.accept);
  return {
    status: 200,
    headers: { 'cache-control': REVALIDATED, vary: 'Accept', ...LISTING_HEADERS[form] },
    body: method === 'HEAD' ? NONE : { kind: 'snapshots', repository, form },
  };
}

/** Counted up when listings look different. */
const LISTING_VERSION = 1;

const LISTING_HEADERS: Readonly<Record<ListingForm, Readonly<Record<string, string>>>> = {
  html: {
    'content-type': 'text/html; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'content-security-policy': LISTING_POLICY,
  },
  json: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
};

function formOf(query: URLSearchParams, accept: string | undefined): ListingForm {
  const asked = query.get('format');
  if (asked === 'json' || asked === 'html') return asked;
  return preferenceOf(accept) === 'json' ? 'json' : 'html';
}

function notFound(why: string): PathAnswer {
  return plain(404, why, { 'cache-control': REVALIDATED });
}

/** An answer of one line. */
export function plain(status: number, line: string, headers: Readonly<Record<string, string>> = {}): PathAnswer {
  return {
    status,
    headers: { ...headers, ...LINE_HEADERS },
    body: { kind: 'text', text: `${line}\n` },
  };
}
