/** `primary.xml`: the packages of a repository, as they stream by. */
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { type Claim, type Claims, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import { parsed } from '../text/markup.ts';

const MOST_TEXT = 1000;
/** Real ones have less than 100,000; one costs microseconds, and 4 GiB would have tens of millions of them. */
const MOST_PACKAGES = 10_000_000;
/** Characters of names, attributes and text of one; the longest real ones, with thousands of files, have a few 100,000. */
const MOST_IN_A_PACKAGE = 8 * 1024 ** 2;

/** @param repository the directory that paths begin at @throws UnreadableIndex */
export async function* primaryClaims(repository: ByteString, bytes: AsyncIterable<Uint8Array>, most = MOST_PACKAGES): Claims {
  let claims: Claim[] = [];
  let packages = 0;
  let length = 0;
  const lengthen = (by: number) => {
    length += by;
    if (length > MOST_IN_A_PACKAGE) throw new UnreadableIndex('has a package of more than 8 MiB');
  };
  let item: { href?: string; isElsewhere?: boolean; size?: string | undefined; algorithm?: string; hex?: string } | undefined;
  let text = '';
  let isWhole = false;
  const elements = {
    open: (name: string, attributes: Readonly<Record<string, string>>) => {
      text = '';
      if (name === 'package') {
        if (++packages > most) throw new UnreadableIndex(`has more than ${most.toLocaleString('en-US')} packages`);
        [item, length] = [{}, 0];
      }
      if (item === undefined) return;
      lengthen(name.length);
      for (const [attribute, value] of Object.entries(attributes)) lengthen(attribute.length + value.length);
      if (name === 'location' && attributes.href !== undefined) {
        item.href = attributes.href;
        // The package is on another server.
        item.isElsewhere = attributes['xml:base'] !== undefined;
      } else if (name === 'size') item.size = attributes.package;
      else if (name === 'checksum') item.algorithm = attributes.type ?? '';
    },
    text: (part: string) => {
      if (item !== undefined) lengthen(part.length);
      if (text.length + part.length <= MOST_TEXT) text += part;
    },
    close: (name: string) => {
      if (name === 'metadata') isWhole = true;
      if (item === undefined) return;
      if (name === 'checksum') item.hex = text.trim();
      if (name !== 'package') return;
      const { href, isElsewhere, size, algorithm = '', hex = '' } = item;
      item = undefined;
      if (href === undefined) throw new UnreadableIndex('names a package without its place');
      if (isElsewhere === true) return;
      const named = toBytes(href);
      claims.push({ path: pathWithin(repository, named), named, size: sizeIn(size), digest: digestNamed(algorithm, hex) });
    },
  };
  for await (const _ of parsed(bytes, true, elements)) {
    yield claims;
    claims = [];
  }
  if (!isWhole) throw new UnreadableIndex('is no whole primary.xml');
}
