/** `repomd.xml`: the metadata files of a repository of RPM packages. */
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { type Claim, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import { parsed } from '../text/markup.ts';

export interface RepositoryData {
  /** `primary`, `filelists`, … */
  readonly type: string;
  readonly claim: Claim;
}

/** Real ones have about 20. */
const MOST_DATA = 10_000;
const MOST_TEXT = 1000;

/** @param repository the directory that `repodata` is in @throws UnreadableIndex */
export async function repositoryData(repository: ByteString, bytes: AsyncIterable<Uint8Array>): Promise<readonly RepositoryData[]> {
  const found: RepositoryData[] = [];
  let data: { type: string; href?: string; size?: string; algorithm?: string; hex?: string } | undefined;
  let text = '';
  let isWhole = false;
  const elements = {
    open: (name: string, attributes: Readonly<Record<string, string>>) => {
      text = '';
      if (name === 'data') data = { type: attributes.type ?? '' };
      else if (data !== undefined && name === 'location' && attributes.href !== undefined) data.href = attributes.href;
      else if (data !== undefined && name === 'checksum') data.algorithm = attributes.type ?? '';
    },
    text: (part: string) => {
      if (text.length + part.length <= MOST_TEXT) text += part;
    },
    close: (name: string) => {
      if (data !== undefined && name === 'checksum') data.hex = text.trim();
      else if (data !== undefined && name === 'size') data.size = text.trim();
      else if (name === 'repomd') isWhole = true;
      else if (data !== undefined && name === 'data') {
        const { type, href, size, algorithm = '', hex = '' } = data;
        data = undefined;
        if (href === undefined || found.length === MOST_DATA) throw new UnreadableIndex('has data without a place, or too many of them');
        const named = toBytes(href);
        found.push({
          type,
          claim: { path: pathWithin(repository, named), named, size: sizeIn(size), digest: digestNamed(algorithm, hex) },
        });
      }
    },
  };
  for await (const _ of parsed(bytes, true, elements));
  if (!isWhole || found.length === 0) throw new UnreadableIndex('is no whole repomd.xml');
  return found;
}
