/** The elements of `primary.xml` that say where a package is, how long, and with which hash. */
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { type Claim, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import type { Elements } from '../text/markup.ts';

const MOST_TEXT = 1000;
/** Characters of names, attributes and text of one; the longest real ones, with thousands of files, have a few 100,000. */
export const MOST_IN_A_PACKAGE = 8 * 1024 ** 2;

export function tooLong(): UnreadableIndex {
  return new UnreadableIndex('has a package of more than 8 MiB');
}

/** A URL of its own: the package is on another server. */
const ELSEWHERE = /^[a-z][a-z0-9+.-]*:/i;

interface Package {
  href?: string;
  /** What `href` is below; a directory of this repository, or elsewhere. */
  base?: string | undefined;
  size?: string | undefined;
  algorithm?: string;
  hex?: string;
}

/** Takes the elements of a document, or of a part of one, and makes claims of its packages. */
export class PackageElements implements Elements {
  readonly #repository: ByteString;
  #claims: Claim[] = [];
  #package: Package | undefined;
  /** Of the package. */
  #length = 0;
  #text = '';
  begun = 0;
  ended = 0;
  /** Of `metadata`. */
  #isThere = false;
  #open = 0;

  /** @param repository the directory that paths begin at */
  constructor(repository: ByteString) {
    this.#repository = repository;
  }

  /** The claims since this was called last. */
  take(): readonly Claim[] {
    const claims = this.#claims;
    this.#claims = [];
    return claims;
  }

  /** Whether `metadata` has come to its end. */
  get isWhole(): boolean {
    return this.#isThere && this.#open === 0;
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#text = '';
    if (name === 'metadata') {
      this.#isThere = true;
      this.#open++;
    }
    if (name === 'package') {
      this.begun++;
      [this.#package, this.#length] = [{}, 0];
    }
    if (this.#package === undefined) return;
    this.#lengthen(name.length);
    for (const [attribute, value] of Object.entries(attributes)) this.#lengthen(attribute.length + value.length);
    if (name === 'location' && attributes.href !== undefined) {
      this.#package.href = attributes.href;
      this.#package.base = attributes['xml:base'];
    } else if (name === 'size') this.#package.size = attributes.package;
    else if (name === 'checksum') this.#package.algorithm = attributes.type ?? '';
  }

  text(part: string): void {
    if (this.#package !== undefined) this.#lengthen(part.length);
    if (this.#text.length + part.length <= MOST_TEXT) this.#text += part;
  }

  /** @throws UnreadableIndex */
  close(name: string): void {
    if (name === 'metadata') this.#open--;
    if (this.#package === undefined) return;
    if (name === 'checksum') this.#package.hex = this.#text.trim();
    if (name !== 'package') return;
    const { href, base = '', size, algorithm = '', hex = '' } = this.#package;
    this.#package = undefined;
    this.ended++;
    if (href === undefined) throw new UnreadableIndex('names a package without its place');
    if (ELSEWHERE.test(base)) return;
    const named = toBytes(base === '' ? href : `${base}/${href}`);
    this.#claims.push({
      path: pathWithin(this.#repository, named),
      named,
      size: sizeIn(size),
      digest: digestNamed(algorithm, hex),
    });
  }

  #lengthen(by: number): void {
    this.#length += by;
    if (this.#length > MOST_IN_A_PACKAGE) throw tooLong();
  }
}
