/** `primary.xml`: the packages of a repository, as they stream by. */
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { type Claim, type Claims, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import { parsed } from '../text/markup.ts';

const MOST_TEXT = 1000;

/** @param repository the directory that paths begin at @throws UnreadableIndex */
export async function* primaryClaims(repository: ByteString, bytes: AsyncIterable<Uint8Array>): Claims {
  let claims: Claim[] = [];
  let item: { href?: string; isElsewhere?: boolean; size?: string | undefined; algorithm?: string; hex?: string } | undefined;
  let text = '';
  let isWhole = false;
  const elements = {
    open: (name: string, attributes: Readonly<Record<string, string>>) => {
      text = '';
      if (name === 'package') item = {};
      if (item === undefined) return;
      if (name === 'location' && attributes.href !== undefined) {
        item.href = attributes.href;
        // The package is on another server.
        item.isElsewhere = attributes['xml:base'] !== undefined;
      } else if (name === 'size') item.size = attributes.package;
      else if (name === 'checksum') item.algorithm = attributes.type ?? '';
    },
    text: (part: string) => {
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
