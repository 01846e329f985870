/**
 * Random DAGs as recipes: steps that each make a node out of those before it, honest or with a lie. A recipe is plain data, so that
 * fast-check makes a small one out of one that fails.
 */
import fc from 'fast-check';

/** Position of an earlier node, modulo how many there are. */
type Pick = number;

export interface FuzzEntry {
  readonly name: string;
  readonly node: Pick;
}

export type FileLie = 'none' | 'size' | 'part' | 'noParts' | 'noSize' | 'tooFewParts';
export type HamtLie = 'none' | 'slot' | 'twice' | 'empty' | 'fanout';

export interface FuzzMetadata {
  readonly mode?: number | undefined;
  readonly mtime?: { readonly seconds: bigint; readonly nanoseconds?: number | undefined } | undefined;
}

export type Step =
  | { readonly kind: 'leaf'; readonly data: string; readonly hash: 'plain' | 'inline' | 'sha2-512' }
  | { readonly kind: 'wrapped'; readonly data: string; readonly inline: boolean }
  | {
      readonly kind: 'file';
      readonly parts: readonly Pick[];
      readonly data: string;
      readonly lie: FileLie;
      readonly metadata: FuzzMetadata;
    }
  | { readonly kind: 'directory'; readonly entries: readonly FuzzEntry[]; readonly inline: boolean; readonly metadata: FuzzMetadata }
  | {
      readonly kind: 'hamt';
      readonly entries: readonly FuzzEntry[];
      readonly fanout: number;
      readonly lie: HamtLie;
      readonly metadata: FuzzMetadata;
    }
  | { readonly kind: 'symlink'; readonly target: string; readonly metadata: FuzzMetadata }
  /** Directories or file nodes one above the other, each leading to the one below so many times. */
  | { readonly kind: 'tower'; readonly node: Pick; readonly levels: number; readonly ways: number }
  | { readonly kind: 'junk'; readonly data: string };

export type Mutation =
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'zeros'; readonly count: number }
  | { readonly kind: 'v2'; readonly padding: number }
  /** The first byte of a section becomes a varint of more bytes than it needs. */
  | { readonly kind: 'overlong' };

export interface Recipe {
  readonly steps: readonly Step[];
  /** Of the root. */
  readonly entries: readonly FuzzEntry[];
  readonly mutations: readonly Mutation[];
}

const pick = fc.nat(1000);
const honestName = fc.constantFrom('a', 'b', 'c', 'd', 'link', 'Makefile', 'with space', 'grün', '\u202e', '-rf', '~');
const name = fc.oneof(
  { weight: 60, arbitrary: honestName },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '.', '..', '/', '/etc', '../outside', 'a/b', 'nul\0', 'gro\xff', 'x'.repeat(256), 'x'.repeat(255)),
  },
);
const entries = fc.array(fc.record({ name, node: pick }), { maxLength: 5 });
const content = fc.constantFrom('', 'a', 'content', 'x'.repeat(100), 'y'.repeat(300));
const target = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', '../outside', '/', 'link/..', 'gro\xff', '../../..', '../sentinel') },
  { weight: 1, arbitrary: fc.constantFrom('', 'nul\0', 't'.repeat(4096)) },
);
const seconds = fc.constantFrom(0n, 1n, -1n, 1_700_000_000n, -(2n ** 31n), 2n ** 33n, 2n ** 62n, -(2n ** 62n), 2n ** 63n - 1n);
const metadata: fc.Arbitrary<FuzzMetadata> = fc.record({
  mode: fc.option(fc.constantFrom(0o755, 0o644, 0o700, 0o4755, 0o2755, 0o1777, 0o100644, 0o7777), { nil: undefined }),
  mtime: fc.option(
    fc.record({ seconds, nanoseconds: fc.option(fc.constantFrom(0, 1, 999_999_999, 1_000_000_000), { nil: undefined, freq: 9 }) }),
    { nil: undefined },
  ),
});
const mostly = <T>(honest: T, ...lies: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(honest) }, { weight: 2, arbitrary: fc.constantFrom(...lies) });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('leaf'),
      data: content,
      hash: mostly<'plain' | 'inline' | 'sha2-512'>('plain', 'inline', 'inline', 'sha2-512'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wrapped'), data: content, inline: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('file'),
      parts: fc.array(pick, { maxLength: 4 }),
      data: mostly('', 'own'),
      lie: mostly<FileLie>('none', 'size', 'part', 'noParts', 'noSize', 'tooFewParts'),
      metadata,
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('directory'), entries, inline: mostly(false, true), metadata }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('hamt'),
      entries: fc.array(
        fc.record({
          name: fc.oneof(
            honestName,
            fc.nat(60).map((n) => `file-${n}`),
          ),
          node: pick,
        }),
        { maxLength: 40 },
      ),
      fanout: mostly(256, 8, 16, 32, 1024, 4, 100),
      lie: mostly<HamtLie>('none', 'slot', 'twice', 'empty', 'fanout'),
      metadata,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('symlink'), target, metadata }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('tower'),
      node: pick,
      levels: fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(2, 5, 20) },
        { weight: 1, arbitrary: fc.constantFrom(55, 63, 64, 65, 2500) },
      ),
      ways: fc.constantFrom(1, 1, 2, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('junk'), data: content }) },
) as fc.Arbitrary<Step>;

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('cut'), at: fc.nat() }),
  fc.record({ kind: fc.constant('flip'), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('insert'), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) }),
  fc.record({ kind: fc.constant('zeros'), count: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({ kind: fc.constant('v2'), padding: fc.nat(100) }),
  fc.record({ kind: fc.constant('overlong') }),
) as fc.Arbitrary<Mutation>;

export const recipe: fc.Arbitrary<Recipe> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 16 }),
  entries: fc.uniqueArray(fc.record({ name, node: pick }), { maxLength: 6, selector: (entry) => entry.name }),
  mutations: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 2 }) },
  ),
});
