/** fixtures/golden/golden.json: what Kubo made of the recipes' trees. */
import { readFileSync } from 'node:fs';
import type { CidProfile } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';

/** One `ipfs add` of a recipe's tree. */
export interface GoldenRun {
  readonly recipe: string;
  readonly profile: string;
  /** As `ipfs add --chunker` takes it; without it, the profile's own. */
  readonly chunker?: string;
  /** With modes and mtimes. */
  readonly metadata?: true;
}

export interface Golden extends GoldenRun {
  readonly cid: string;
  /** The commands that computed it, in a new datastore (`ipfs init --profile=test`); `DIR` is the recipe's tree. */
  readonly command: string;
}

export interface GoldenFile {
  /** Version of the Kubo that computed the CIDs. */
  readonly kubo: string;
  readonly cases: Readonly<Record<string, Golden>>;
}

const GOLDEN = new URL('../../../fixtures/golden/golden.json', import.meta.url);

export function readGolden(path: string | URL = GOLDEN): GoldenFile {
  return JSON.parse(readFileSync(path, 'utf8')) as GoldenFile;
}

export function profileOfGolden({ profile, chunker }: GoldenRun): CidProfile {
  return profileOf(profile, chunker);
}

/** Name of a run, as golden.json has it: `file-1m@unixfs-v1-2025+rabin`. */
export function nameOf({ recipe, profile, chunker, metadata }: GoldenRun): string {
  return `${recipe}@${profile}${chunker === undefined ? '' : `+${chunker}`}${metadata ? '+metadata' : ''}`;
}

const V1 = 'unixfs-v1-2025';
const V0 = 'unixfs-v0-2015';

/** Recipes that hold under any profile. */
const EVERYWHERE = [
  'file-0 file-1 file-256k-1 file-256k file-256k+1 file-1m-1 file-1m file-1m+1 file-3m',
  'empty-directory empty-directories deep-100 symlinks names mixed entries-10000 hamt-deep hamt-names',
  'block-under block-at block-over links-under links-at links-over',
].flatMap((line) => line.split(' '));

const ON_V1 = ['block-at-directories', 'block-over-directories', 'entries-100000', 'zeros-1024m', 'zeros-1025m', 'zeros-3072m'];

/** Everything that golden.json holds. */
export const RUNS: readonly GoldenRun[] = [
  ...EVERYWHERE.flatMap((recipe) => [
    { recipe, profile: V1 },
    { recipe, profile: V0 },
  ]),
  ...ON_V1.map((recipe) => ({ recipe, profile: V1 })),
  ...chunked('file-1m-of-1k', V1, 'size-1024'),
  ...chunked('file-1m-of-1k+1', V1, 'size-1024'),
  ...chunked('file-174x174', V0, 'size-64'),
  ...chunked('file-174x174+1', V0, 'size-64'),
  ...chunked('file-3m', V1, 'size-262144', 'rabin', 'rabin-65536', 'rabin-16384-65536-131072'),
  ...chunked('file-3m', V0, 'size-1048576', 'rabin'),
  // Kubo keeps the metadata of a file of one chunk in its leaf; shardctl keeps it in a root above. So: no such files here.
  { recipe: 'metadata', profile: V1, metadata: true },
  { recipe: 'metadata', profile: V0, metadata: true },
  { recipe: 'metadata-large', profile: V0, metadata: true },
  { recipe: 'metadata-block-at', profile: V1, metadata: true },
  { recipe: 'metadata-block-over', profile: V1, metadata: true },
];

function chunked(recipe: string, profile: string, ...chunkers: readonly string[]): GoldenRun[] {
  return chunkers.map((chunker) => ({ recipe, profile, chunker }));
}
