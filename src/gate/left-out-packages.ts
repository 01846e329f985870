/**
 * Packages that a partial mirror leaves out on purpose, as far as its head shows. A new version of such a package is missing in each update:
 * held back for that, the mirror would never get another head. A file that is missing, and that the head has not either, counts as left out
 *
 * - where the head's index names other versions of its package, if the head has none of them;
 * - where it names none, because the package is new, if the head lacks at least a tenth of what that index names.
 *
 * So a sync that was torn off is told apart: what it is late with is there in another version, or comes from an index of which all is there.
 *
 * Holds a count for each package of which a file is missing.
 */
import type { StoredTree } from '../core/gate.ts';
import type { ByteString } from '../core/model.ts';
import { partsOf } from '../core/path-bytes.ts';
import type { Contradiction, GateKind } from '../core/verdict.ts';
import type { Claim } from './claims/claim.ts';

/** Of what an index names: a mirror that lacks so much of it does so on purpose. */
const LARGE_SHARE = 0.1;

/** How many files an index of the head names, and how many of them the head has. */
interface Count {
  named: number;
  there: number;
}

interface Wanted extends Count {
  readonly byPackage: Map<string, Count>;
}

export class LeftOutPackages {
  readonly #head: StoredTree;
  readonly #indexes = new Map<string, Wanted>();
  readonly #placeOf: (kind: GateKind, index: ByteString) => string;

  /**
   * @param all what the new tree contradicts: of the others nothing is asked
   * @param placeOf the same for an index of both trees
   */
  constructor(head: StoredTree, all: readonly Contradiction[], placeOf: (kind: GateKind, index: ByteString) => string) {
    this.#head = head;
    this.#placeOf = placeOf;
    for (const { kind, what, index, path } of all) {
      if (what !== 'missing') continue;
      const place = placeOf(kind, index);
      const wanted = this.#indexes.get(place) ?? { named: 0, there: 0, byPackage: new Map() };
      wanted.byPackage.set(packageOf(kind, path), { named: 0, there: 0 });
      this.#indexes.set(place, wanted);
    }
  }

  /** To be told of each claim of the head's indexes. */
  async note(kind: GateKind, index: ByteString, { path }: Claim): Promise<void> {
    const wanted = this.#indexes.get(this.#placeOf(kind, index));
    if (wanted === undefined || path === undefined) return;
    const isThere = (await this.#head.entry(path)) !== undefined;
    for (const count of [wanted, wanted.byPackage.get(packageOf(kind, path))]) {
      if (count === undefined) continue;
      count.named++;
      if (isThere) count.there++;
    }
  }

  /** Whether this is a file that is left out. */
  async has({ kind, what, index, path }: Contradiction): Promise<boolean> {
    const wanted = this.#indexes.get(this.#placeOf(kind, index));
    const count = wanted?.byPackage.get(packageOf(kind, path));
    if (what !== 'missing' || wanted === undefined || count === undefined) return false;
    if ((await this.#head.entry(path)) !== undefined) return false;
    if (count.named > 0) return count.there === 0;
    return wanted.named > 0 && wanted.named - wanted.there >= LARGE_SHARE * wanted.named;
  }
}

/** The same for all versions of a package, of one architecture where its name says that. */
function packageOf(kind: GateKind, path: ByteString): string {
  const { above, name } = partsOf(path);
  if (kind === 'npm') return above;
  if (kind === 'pypi') {
    // PEP 427: NAME-VERSION-TAGS.whl; of others, NAME-VERSION.END.
    const [project = '', , ...tags] = name.split('-');
    return `${project} ${tags.length === 0 ? name.replace(/^.*\d(?=\.[a-z])/i, '') : tags.join('-')}`;
  }
  if (kind === 'rpm') return `${above}/${name.replace(/-[^-]+-[^-]+(?=\.[^.]+\.rpm$)|-\d[^-]*(?=\.rpm$)/, '')}`;
  // NAME_VERSION_ARCHITECTURE.deb; of sources, NAME_VERSION.END.
  const parts = name.split('_');
  return `${above}/${parts[0]}_${parts.length > 2 ? parts.at(-1) : ''}`;
}
