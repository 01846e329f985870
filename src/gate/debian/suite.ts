/**
 * Judges a suite: its signature, the indexes that its `Release` names, and what `Packages` and `Sources` of those name.
 *
 * A mirror may hold a part: an index that is nowhere counts as left out with its architecture or component, and one packing of an index is
 * enough, because apt goes on to the next. But what is there has to be what the `Release` says, in each packing, and below `by-hash`, and all
 * packings have to say the same; and a `Packages` or `Sources` is missed where its directory has other files that the `Release` names.
 */
import type { StoredTree } from '../../core/gate.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import { type Claim, type Claims, NoUnpacker, UnreadableIndex } from '../claims/claim.ts';
import { type Comparison, isSameEntry } from '../claims/comparison.ts';
import type { UnitReader } from '../claims/unit-reader.ts';
import type { Parts } from '../claims/units.ts';
import { PACKED, packingOf, unpacked } from '../text/unpacked.ts';
import { wholeBytes } from '../text/whole-text.ts';
import { comparePackings, haveChanged, type Packing, TextHash } from './packings.ts';
import { releaseClaims, signedText } from './release.ts';
import type { Signed } from './signature.ts';
import { packageStanzas, sourceStanzas, stanzasOf } from './stanzas.ts';

const MOST_RELEASE_BYTES = 64 * 1024 ** 2;
const BY_HASH: Readonly<Record<string, string>> = { sha256: 'SHA256', sha512: 'SHA512', sha1: 'SHA1', md5: 'MD5Sum' };

/** An index in all its packings. */
interface Stem {
  readonly path: ByteString;
  readonly claims: readonly Claim[];
}

export class SuiteJudge {
  readonly #comparison: Comparison;
  readonly #suite: ByteString;
  readonly #keyrings: readonly string[];
  readonly #isFlat: boolean;
  /** By the path of the `Release` or `InRelease`. */
  readonly #claims = new Map<ByteString, ReadonlyMap<ByteString, Claim>>();
  readonly #unreadable = new Map<ByteString, string>();

  /** @param isFlat of a flat archive, whose packages are named by indexes beside the `Release` alone: others are of a suite that lies elsewhere */
  constructor(comparison: Comparison, suite: ByteString, keyrings: readonly string[], isFlat: boolean) {
    this.#comparison = comparison;
    this.#suite = suite;
    this.#isFlat = isFlat;
    this.#keyrings = keyrings;
  }

  /** @returns whether it is a suite: its `Release` or `InRelease` is one */
  async read(): Promise<boolean> {
    const { tree, findings } = this.#comparison;
    const texts = new Map<ByteString, ByteString>();
    for (const path of this.#releases()) {
      await this.#orUnreadable(path, async () => {
        const text = await textOf(tree, path);
        if (text !== undefined) texts.set(path, text);
      });
    }
    // Mostly the two say the same, and then one is read.
    const [first, second] = [...texts.values()];
    for (const [path, text] of texts) {
      if (text === second && texts.size === 2 && first?.trim() === second.trim()) continue;
      findings.indexes++;
      await this.#orUnreadable(path, async () => void this.#claims.set(path, releaseClaims(this.#suite, text)));
    }
    return this.#claims.size > 0;
  }

  /**
   * To be called after `read`.
   * @param isKnown the archive has another suite; else one whose `Release` cannot be read may be none
   * @param baseOf the directory that the paths in an index begin at, by what the index claims
   */
  async judge(isKnown: boolean, baseOf: (index: () => (base: ByteString) => Claims) => Promise<ByteString>): Promise<void> {
    const { findings } = this.#comparison;
    if (!isKnown && this.#claims.size === 0 && this.#keyrings.length === 0 && !(await this.wasOne())) return;
    findings.kinds.add('debian');
    for (const [path, detail] of this.#unreadable) findings.contradict({ kind: 'debian', what: 'unreadable', index: path, path, detail });
    await this.#checkSignature(this.#at('InRelease'), this.#at('Release'));
    const isSame = await this.#isSameSuite();
    for (const [path, claims] of this.#claims) {
      await this.#comparison.reading('debian', path, async () => {
        const named = new Set([...claims.values()].map((claim) => claim.path));
        for (const stem of stemsOf(claims)) await this.#judgeStem(path, stem, named, isSame, baseOf);
      });
    }
  }

  /** Whether it was a suite in a tree before this one. */
  async wasOne(): Promise<boolean> {
    return await this.#comparison.wasThere(async (tree) => {
      for (const path of this.#releases()) {
        const text = await textOf(tree, path);
        if (text !== undefined && releaseClaims(this.#suite, text).size > 0) return true;
      }
      return false;
    });
  }

  #releases(): readonly ByteString[] {
    return [this.#at('InRelease'), this.#at('Release')];
  }

  async #orUnreadable(path: ByteString, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof UnreadableIndex)) throw error;
      this.#unreadable.set(path, error.message);
    }
  }

  /** All of it was passed: then only what the pool has lost counts. */
  async #isSameSuite(): Promise<boolean> {
    const { tree } = this.#comparison;
    const [before, now] = [await tree.passed?.entry(this.#suite), await tree.entry(this.#suite)];
    return before !== undefined && now !== undefined && isSameEntry(before, now);
  }

  async #judgeStem(
    release: ByteString,
    { path, claims }: Stem,
    named: ReadonlySet<ByteString | undefined>,
    isSame: boolean,
    baseOf: (index: () => (base: ByteString) => Claims) => Promise<ByteString>,
  ): Promise<void> {
    const { tree, findings } = this.#comparison;
    const there: Packing[] = [];
    let isIntact = true;
    for (const claim of claims) {
      if (claim.path === undefined) {
        isIntact = (await this.#comparison.check('debian', release, claim)) && isIntact;
        continue;
      }
      const places = isSame ? [claim.path] : [claim.path, byHashOf(claim.path, claim)];
      for (const place of places) {
        if ((await tree.entry(place)) === undefined) continue;
        const found = { ...claim, path: place };
        if (!isSame) {
          findings.entries++;
          if (!(await this.#comparison.check('debian', release, found))) {
            isIntact = false;
            continue;
          }
        }
        there.push(found);
      }
    }
    const name = partsOf(path).name;
    if ((name !== 'Packages' && name !== 'Sources') || (this.#isFlat && partsOf(path).above !== this.#suite)) return;
    const packings = PACKED.flatMap((packing) => there.find((claim) => packingOf(claim.named) === packing) ?? []);
    if (packings.length === 0) {
      if (isIntact && (await this.#hasOthersBeside(path, named)) && !(await this.#isLeftOut(claims)))
        findings.contradict({ kind: 'debian', what: 'missing', index: release, path, detail: 'is not there in any packing' });
      return;
    }
    const areCompared = packings.length > 1 && (await haveChanged(this.#comparison, packings));
    let lack: NoUnpacker | undefined;
    for (const [at, packing] of packings.entries()) {
      const text = areCompared ? new TextHash() : undefined;
      try {
        await this.#judgeIndex(path, packing, text, baseOf);
        if (text !== undefined) await comparePackings(this.#comparison, packing, text, packings.slice(at + 1));
        return;
      } catch (error) {
        if (!(error instanceof NoUnpacker)) throw error;
        lack ??= error;
      }
    }
    if (lack !== undefined) this.#comparison.leaveOut(lack);
  }

  /** @param best one packing of it @param text takes the hash of its text, if that is read @throws NoUnpacker */
  async #judgeIndex(
    stem: ByteString,
    best: Packing,
    text: TextHash | undefined,
    baseOf: (index: () => (base: ByteString) => Claims) => Promise<ByteString>,
  ): Promise<void> {
    const { tree } = this.#comparison;
    const { name } = partsOf(stem);
    const readerFrom = name === 'Packages' ? packageStanzas : sourceStanzas;
    const now = () => this.#stanzasIn(tree, best, text);
    const reader = readerFrom(await baseOf(() => (base) => claimsIn(this.#stanzasIn(tree, best), readerFrom(base))));
    const { path } = best;
    if (await this.#comparison.isSame(path)) return await this.#comparison.sameIndex('debian', path, reader, now);
    const before = await this.#passedOf(stem);
    await this.#comparison.index('debian', path, reader, now, before && (() => this.#stanzasIn(before.of, before.at)));
  }

  /** The index in the same place of the passed tree, in whichever packing. */
  async #passedOf(stem: ByteString): Promise<{ readonly of: StoredTree; readonly at: Packing } | undefined> {
    const { passed } = this.#comparison.tree;
    if (passed === undefined) return undefined;
    for (const packing of PACKED) {
      const path = `${stem}${packing}`;
      if ((await passed.entry(path))?.kind === FILE) return { of: passed, at: { path, named: path, size: undefined, digest: undefined } };
    }
    return undefined;
  }

  async *#stanzasIn(of: StoredTree, { path, named }: Packing, text?: TextHash): Parts<string> {
    const entry = await of.entry(path);
    if (entry === undefined) return;
    const bytes = unpacked(packingOf(named), of.bytes(entry), this.#comparison.signal);
    yield* stanzasOf(text?.of(bytes) ?? bytes);
  }

  /** Whether the filters leave out this index in some packing: the others may never have been there. */
  async #isLeftOut(claims: readonly Claim[]): Promise<boolean> {
    for (const { path } of claims) if (path !== undefined && (await this.#comparison.leavesOut(path))) return true;
    return false;
  }

  /** In a flat archive, whose index lies beside its `Release`, there is nothing that could be left out. */
  async #hasOthersBeside(stem: ByteString, named: ReadonlySet<ByteString | undefined>): Promise<boolean> {
    const { above } = partsOf(stem);
    return this.#isFlat || (await this.#comparison.tree.names(above)).some((name) => named.has(joinBytes(above, name)));
  }

  async #checkSignature(inRelease: ByteString, release: ByteString): Promise<void> {
    if (this.#keyrings.length === 0) return;
    const { assertReadable, isSigned } = await import('./signature.ts');
    await assertReadable(this.#keyrings);
    const { tree, findings, signal } = this.#comparison;
    const [clear, text, beside] = [
      await readWhole(tree, inRelease),
      await readWhole(tree, release),
      await readWhole(tree, `${release}.gpg`),
    ];
    const signed: [ByteString, Signed][] = [];
    if (clear !== undefined) signed.push([inRelease, { signature: clear, text: undefined }]);
    if (text !== undefined && beside !== undefined) signed.push([release, { signature: beside, text }]);
    const fail = (path: ByteString, detail: string) => findings.contradict({ kind: 'debian', what: 'unsigned', index: path, path, detail });
    if (signed.length === 0) fail(release, 'has no signature');
    for (const [path, what] of signed) {
      if (!(await isSigned(what, this.#keyrings, signal))) fail(path, 'is not signed by a key of the keyrings');
    }
  }

  #at(name: string): ByteString {
    return joinBytes(this.#suite, name);
  }
}

async function* claimsIn(stanzas: Parts<string>, reader: UnitReader<string>): Claims {
  for await (const some of stanzas) yield [...some].flatMap((stanza) => reader.claimsOf(stanza));
}

function stemsOf(claims: ReadonlyMap<ByteString, Claim>): Iterable<Stem> {
  const stems = new Map<ByteString, Claim[]>();
  for (const claim of claims.values()) {
    const whole = claim.path ?? claim.named;
    const stem = whole.slice(0, whole.length - packingOf(whole).length);
    const others = stems.get(stem);
    if (others === undefined) stems.set(stem, [claim]);
    else others.push(claim);
  }
  return [...stems].map(([path, of]) => ({ path, claims: of }));
}

/** Where `Acquire-By-Hash` has a copy. */
function byHashOf(path: ByteString, { digest }: Claim): ByteString {
  return joinBytes(partsOf(path).above, `by-hash/${BY_HASH[digest?.algorithm ?? '']}/${digest?.hex}`);
}

/** What a `Release` says, without its signature; undefined where there is none. @throws UnreadableIndex */
async function textOf(tree: StoredTree, path: ByteString): Promise<ByteString | undefined> {
  const bytes = await readWhole(tree, path);
  return bytes && signedText(bytes.toString('latin1'));
}

/** @throws UnreadableIndex when it is too long */
async function readWhole(tree: StoredTree, path: ByteString): Promise<Buffer | undefined> {
  const entry = await tree.entry(path);
  if (entry === undefined) return undefined;
  if (entry.kind !== FILE) throw new UnreadableIndex('is no file');
  return await wholeBytes(tree.bytes(entry), MOST_RELEASE_BYTES);
}
