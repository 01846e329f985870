/** `Release` and `InRelease`: which indexes a suite has, with sizes and hashes. */
import type { ByteString } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { type Algorithm, type Claim, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';

/** Strongest first; apt refuses the last two, old mirrors have no others. */
const SECTIONS: readonly (readonly [field: string, Algorithm])[] = [
  ['sha256', 'sha256'],
  ['sha512', 'sha512'],
  ['sha1', 'sha1'],
  ['md5sum', 'md5'],
];

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----';
const SIGNATURE = '-----BEGIN PGP SIGNATURE-----';

/** The text that a clearsigned file signs (RFC 9580, section 7); another text is what it is. @throws UnreadableIndex when the signature is cut off */
export function signedText(text: ByteString): ByteString {
  if (!text.startsWith(BEGIN)) return text;
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const begin = lines.indexOf('') + 1;
  const end = lines.indexOf(SIGNATURE);
  if (begin === 0 || end < begin || !text.includes('-----END PGP SIGNATURE-----'))
    throw new UnreadableIndex('ends before its signature does');
  return lines
    .slice(begin, end)
    .map((line) => line.replace(/^- /, ''))
    .join('\n');
}

/** What a directory's `Release` says of these is what they were before: `apt-ftparchive release` hashes whatever is there, and apt does not look. */
const ITSELF: readonly ByteString[] = ['Release', 'InRelease', 'Release.gpg'];

/** What a `Release` names, by the path below its suite, but for itself. @param suite directory of the file @throws UnreadableIndex */
export function releaseClaims(suite: ByteString, text: ByteString): ReadonlyMap<ByteString, Claim> {
  const itself = new Set(ITSELF.map((name) => joinBytes(suite, name)));
  const sections = new Map<string, Map<ByteString, Claim>>();
  let section: Map<ByteString, Claim> | undefined;
  let algorithm = '';
  for (const line of text.split('\n')) {
    if (!line.startsWith(' ')) {
      const colon = line.indexOf(':');
      if (colon <= 0) {
        if (line.trim() !== '') throw new UnreadableIndex('has a line that is no field');
        continue;
      }
      const field = line.slice(0, colon).toLowerCase();
      algorithm = SECTIONS.find(([name]) => name === field)?.[1] ?? '';
      // A field that comes twice says what both say: one that replaced the other would hide indexes.
      section = algorithm === '' ? undefined : (sections.get(algorithm) ?? new Map());
      if (section !== undefined && line.slice(colon + 1).trim() !== '')
        throw new UnreadableIndex(`has a ${line.slice(0, colon)} on one line`);
      if (section !== undefined) sections.set(algorithm, section);
      continue;
    }
    if (section === undefined) continue;
    const [hex = '', length, named, more] = line.trim().split(/[ \t]+/);
    const [digest, size] = [digestNamed(algorithm, hex), sizeIn(length)];
    if (digest === undefined || size === undefined || named === undefined || more !== undefined)
      throw new UnreadableIndex(`has a line below ${algorithm.toUpperCase()} that is no hash, size and path`);
    const path = pathWithin(suite, named);
    if (path === undefined || !itself.has(path)) section.set(named, { path, named, size, digest });
  }
  if (sections.size === 0) throw new UnreadableIndex('names no indexes');
  for (const [, name] of SECTIONS) {
    const found = sections.get(name);
    if (found !== undefined && found.size > 0) return found;
  }
  return new Map();
}
