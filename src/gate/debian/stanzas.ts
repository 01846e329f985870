/** `Packages` and `Sources`: paragraphs that name the files of the pool, as they stream by. Memory holds one piece and one paragraph. */
import type { ByteString } from '../../core/model.ts';
import { type Algorithm, type Claim, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import type { UnitKeys } from '../claims/compared-units.ts';
import { copyOf, type UnitReader } from '../claims/unit-reader.ts';
import type { Parts } from '../claims/units.ts';
import { BETWEEN, Paragraphs } from './paragraphs.ts';

/** Characters; the longest real ones, of sources with thousands of binaries, have a few 100,000. */
const MOST_IN_A_STANZA = 8 * 1024 ** 2;

const HASHES: readonly (readonly [field: string, Algorithm])[] = [
  ['sha256', 'sha256'],
  ['sha512', 'sha512'],
  ['sha1', 'sha1'],
  ['md5sum', 'md5'],
];
const SOURCE_HASHES: readonly (readonly [field: string, Algorithm])[] = [
  ['checksums-sha256', 'sha256'],
  ['checksums-sha512', 'sha512'],
  ['checksums-sha1', 'sha1'],
  ['files', 'md5'],
];

/** Real indexes have tens of thousands; one costs a microsecond or more, and 4 GiB would have a billion of them. */
const MOST_STANZAS = 10_000_000;

/** Characters of an empty line with its blanks that are looked at across two pieces. */
const LONGEST_END = 200;

/** The fields that are read, with the lines that go on with them. */
const FIELD =
  /^(filename|size|sha256|sha512|sha1|md5sum|directory|files|checksums-sha256|checksums-sha512|checksums-sha1):[ \t]*(.*(?:\n[ \t].*)*)/gim;

/** The one of them that says where the file is. */
const FILENAME = /^filename:[ \t]*(.*(?:\n[ \t].*)*)/gim;
const FILENAME_BEGINS = /^filename:[ \t]*/gim;

/** Paragraphs of `Packages`. @param base the directory of the tree that paths begin at */
export function packageStanzas(base: ByteString): UnitReader<string> {
  return {
    ...STANZAS,
    claimsOf: (stanza) => packageClaim(base, stanza),
    pathsOf: (stanza) => {
      let named: string | undefined;
      FILENAME.lastIndex = 0;
      for (let found = FILENAME.exec(stanza); found !== null; found = FILENAME.exec(stanza)) named = found[1];
      return named === undefined ? [] : [pathWithin(base, named.trim())];
    },
    countBeside: (part, names) => (part instanceof Paragraphs ? countBeside(part.text, names) : undefined),
  };
}

/** Paragraphs of `Sources`. @param base the directory of the tree that paths begin at */
export function sourceStanzas(base: ByteString): UnitReader<string> {
  return { ...STANZAS, claimsOf: (stanza) => filesOfSource(base, stanza), pathsOf: (stanza) => pathsOfSource(base, stanza) };
}

const STANZAS: UnitKeys<string> = { keyOf: (stanza) => stanza, keep: copyOf };

/**
 * The paragraphs of an index, in parts of it.
 * @param most paragraphs; so many are in three times as many characters at least, and counted in what comes after these
 * @throws UnreadableIndex
 */
export async function* stanzasOf(bytes: AsyncIterable<Uint8Array>, most = MOST_STANZAS): Parts<string> {
  let read = 0;
  let counted = 0;
  /** Of the paragraph that has not ended: joined once, when it ends. */
  let pieces: string[] = [];
  let length = 0;
  let end = '';
  for await (const piece of bytes) {
    const text = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1');
    length += text.length;
    pieces.push(text);
    // The empty line may begin in the piece before.
    const hasEnd = BETWEEN.test(end + text.slice(0, LONGEST_END)) || BETWEEN.test(text);
    end = (end + text).slice(-LONGEST_END);
    if (hasEnd) {
      const whole = pieces.join('');
      const part = new Paragraphs(whole.slice(0, endOfLast(whole)));
      const rest = whole.slice(part.text.length);
      [pieces, length] = [[rest], rest.length];
      read += part.text.length;
      if (read > 3 * most) for (const _ of part) counted++;
      if (counted > most) throw new UnreadableIndex(`has more than ${most.toLocaleString('en-US')} paragraphs`);
      yield part;
    }
    if (length > MOST_IN_A_STANZA) throw new UnreadableIndex('has a paragraph of more than 8 MiB');
  }
  yield new Paragraphs(pieces.join(''));
}

/** Where the last paragraph begins. */
function endOfLast(text: string): number {
  const found = text.lastIndexOf('\n\n');
  if (found >= 0) return found + 2;
  let end = 0;
  for (const { index, 0: between } of text.matchAll(new RegExp(BETWEEN, 'g'))) end = index + between.length;
  return end;
}

/** Of paragraphs in a part that is in both versions. */
function countBeside(text: string, names: ReadonlySet<ByteString>): number | undefined {
  // Lines may end there, too, or paths lead nowhere.
  if (text.includes('\r') || text.includes('\0')) return undefined;
  let count = 0;
  FILENAME_BEGINS.lastIndex = 0;
  while (FILENAME_BEGINS.test(text)) {
    const begin = FILENAME_BEGINS.lastIndex;
    const found = text.indexOf('\n', begin);
    const end = found < 0 ? text.length : found;
    const next = text[end + 1];
    const named = text.slice(begin, end).trim();
    const name = named.slice(named.lastIndexOf('/') + 1);
    const goesOn = next === ' ' || next === '\t';
    if (goesOn || named.startsWith('/') || named.includes('..') || name === '' || name === '.' || names.has(name)) return undefined;
    count++;
  }
  return count;
}

function packageClaim(base: ByteString, stanza: string): readonly Claim[] {
  const fields = fieldsOf(stanza);
  const named = fields.get('filename');
  // Packages that are not in the archive are listed in `status` files alone.
  if (named === undefined) return [];
  const [field, algorithm] = HASHES.find(([name]) => fields.has(name)) ?? ['', 'sha256'];
  const hex = fields.get(field);
  const digest = hex === undefined ? undefined : digestNamed(algorithm, hex);
  const size = sizeIn(fields.get('size'));
  if (size === undefined || (hex !== undefined && digest === undefined)) throw new UnreadableIndex('names a file without its size or hash');
  return [{ path: pathWithin(base, named), named, size, digest }];
}

function filesOfSource(base: ByteString, stanza: string): readonly Claim[] {
  const fields = fieldsOf(stanza);
  const [field, algorithm] = SOURCE_HASHES.find(([name]) => fields.has(name)) ?? ['', 'sha256'];
  const files = fields.get(field);
  if (files === undefined) return [];
  const directory = fields.get('directory') ?? '';
  return linesOf(files).flatMap(([hex = '', length, name]) => {
    const [digest, size] = [digestNamed(algorithm, hex), sizeIn(length)];
    if (digest === undefined || size === undefined || name === undefined)
      throw new UnreadableIndex('names a file without its size or hash');
    const named = directory === '' ? name : `${directory}/${name}`;
    return [{ path: pathWithin(base, named), named, size, digest }];
  });
}

function pathsOfSource(base: ByteString, stanza: string): readonly (ByteString | undefined)[] {
  const fields = fieldsOf(stanza);
  const [field] = SOURCE_HASHES.find(([name]) => fields.has(name)) ?? [''];
  const directory = fields.get('directory') ?? '';
  return linesOf(fields.get(field) ?? '').flatMap(([, , name]) =>
    name === undefined ? [] : [pathWithin(base, directory === '' ? name : `${directory}/${name}`)],
  );
}

/** The words of each line that has any. */
function linesOf(value: string): readonly (readonly string[])[] {
  return value.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(/[ \t]+/)]));
}

/** Of a field that comes twice the last counts, as for apt. */
function fieldsOf(stanza: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [, name = '', value = ''] of stanza.matchAll(FIELD)) {
    fields.set(name.toLowerCase(), value.trim());
  }
  return fields;
}
