/**
 * `primary.xml`: the packages of a repository, as they stream by. Two versions of it have most of their packages in common, byte for byte;
 * so it is cut where packages end, which costs a tenth of parsing it, and what both have is not parsed.
 *
 * In XML without comments, CDATA and processing instructions, `</package>` is nothing but the end of a package: no text and no value of an
 * attribute may have a `<` (https://www.w3.org/TR/xml/, 2.4 and 3.1). From where one of these comes, the rest is parsed. What is not XML
 * either ends each unit with the end of a package, or is no index.
 */
import type { ByteString } from '../../core/model.ts';
import { type Claim, pathWithin, UnreadableIndex } from '../claims/claim.ts';
import { CLAIMS, copyOf, type UnitReader } from '../claims/unit-reader.ts';
import type { Units } from '../claims/units.ts';
import { parsed, parsedText } from '../text/markup.ts';
import { MOST_IN_A_PACKAGE, PackageElements, tooLong } from './package-elements.ts';

/** Real ones have less than 100,000; one costs microseconds, and 4 GiB would have tens of millions of them. */
const MOST_PACKAGES = 10_000_000;

/** The bytes between the ends of two packages; or the claim of a package that could only be parsed. */
export type PrimaryUnit = ByteString | Claim;

const END = '</package>';
/** Where text begins that has to be parsed to be cut. */
const UNCUTTABLE = /<[!?]|<\/package\s/;
/** As all documents begin. */
const DECLARATION = /^<\?xml [^<>]*\?>/;
const LONGEST_DECLARATION = 1024;

/** As createrepo_c writes it: another attribute may have the look of this one. */
const LOCATION = /<location\s+href="([\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]*)"\s*\/?>/;

/** @param repository the directory that paths begin at */
export function primaryReader(repository: ByteString): UnitReader<PrimaryUnit> {
  const claimsOf = (unit: PrimaryUnit) => (typeof unit === 'string' ? claimsIn(repository, unit) : [unit]);
  return {
    keyOf: (unit) => (typeof unit === 'string' ? unit : CLAIMS.keyOf(unit)),
    keep: (unit) => (typeof unit === 'string' ? copyOf(unit) : CLAIMS.keep(unit)),
    claimsOf,
    pathsOf: (unit) => {
      const href = typeof unit === 'string' ? plainLocation(unit) : undefined;
      if (href !== undefined) return [pathWithin(repository, href)];
      try {
        return claimsOf(unit).map(({ path }) => path);
      } catch (error) {
        if (error instanceof UnreadableIndex) return [];
        throw error;
      }
    },
  };
}

/** Cuts a document into units, in parts of it. Memory holds one piece and one package. @throws UnreadableIndex */
export async function* primaryUnits(repository: ByteString, bytes: AsyncIterable<Uint8Array>, most = MOST_PACKAGES): Units<PrimaryUnit> {
  const pieces = bytes[Symbol.asyncIterator]();
  let given = 0;
  /** Of the unit that has not ended: joined once, when it ends. */
  let parts: string[] = [];
  let length = 0;
  /** So much of the text before as END or UNCUTTABLE may have in the piece before. */
  let seam = '';
  try {
    const begin = await beginning(pieces);
    for (let text: string | undefined = begin; text !== undefined; text = await nextOf(pieces)) {
      parts.push(text);
      length += text.length;
      const across = seam + text.slice(0, END.length - 1);
      if (UNCUTTABLE.test(text) || UNCUTTABLE.test(across)) {
        yield* parsedPrimary(repository, rest(begun(given) + parts.join(''), pieces), most - given);
        return;
      }
      seam = (text.length < END.length ? across : text).slice(1 - END.length);
      if (text.includes(END) || across.includes(END)) {
        const units = parts.join('').split(END);
        const next = units.pop() ?? '';
        [parts, length] = [[next], next.length];
        given += units.length;
        if (given > most) throw tooMany(most);
        yield units;
      }
      if (length > MOST_IN_A_PACKAGE) throw tooLong();
    }
    const last = new PackageElements(repository);
    parsedText(begun(given) + utf8Of(parts.join('')), last);
    if (!last.isWhole || last.begun > 0) throw notWhole();
  } finally {
    await pieces.return?.();
  }
}

/** The packages of one unit; of a document that is XML it is one. @throws UnreadableIndex */
function claimsIn(repository: ByteString, unit: ByteString): readonly Claim[] {
  const elements = new PackageElements(repository);
  parsedText(utf8Of(unit) + END, elements);
  if (elements.begun !== 1 || elements.ended !== 1) throw notWhole();
  return elements.take();
}

/** Where the only location of a unit is, if that can be seen without parsing it. */
function plainLocation(unit: ByteString): ByteString | undefined {
  const at = unit.indexOf('<location');
  if (at < 0 || unit.indexOf('<location', at + 1) >= 0) return undefined;
  return LOCATION.exec(unit)?.[1];
}

/** All packages of a document that nothing is known of: to parse it at once costs less than to parse it in units. @throws UnreadableIndex */
export async function* parsedPrimary(repository: ByteString, bytes: AsyncIterable<Uint8Array>, most = MOST_PACKAGES): Units<Claim> {
  const elements = new PackageElements(repository);
  for await (const _ of parsed(bytes, true, elements)) {
    if (elements.begun > most) throw tooMany(most);
    yield elements.take();
  }
  if (!elements.isWhole) throw notWhole();
}

/** What the units have begun, which have been cut off. */
function begun(units: number): string {
  return units === 0 ? '' : '<metadata>';
}

async function* rest(text: ByteString, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, 'latin1');
  for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) yield piece.value;
}

/** The first text, without the declaration that it is XML. */
async function beginning(pieces: AsyncIterator<Uint8Array>): Promise<string> {
  let text = '';
  while (text.length < LONGEST_DECLARATION) {
    const more = await nextOf(pieces);
    if (more === undefined) break;
    text += more;
  }
  return text.replace(DECLARATION, '');
}

async function nextOf(pieces: AsyncIterator<Uint8Array>): Promise<string | undefined> {
  const { value, done } = await pieces.next();
  return done === true ? undefined : Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
}

function utf8Of(text: ByteString): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function tooMany(most: number): UnreadableIndex {
  return new UnreadableIndex(`has more than ${most.toLocaleString('en-US')} packages`);
}

function notWhole(): UnreadableIndex {
  return new UnreadableIndex('is no whole primary.xml');
}
