/** CIDs whose multihash is the identity: text that can be pinned. Such a pin takes no block in any datastore. */
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { RAW } from '../core/model.ts';

const IDENTITY = 0;
/** What the text of such a CID begins with while its content is shorter than 128 bytes. */
const BEGINS_WITH = 'bafkqa';

export function identityCid(content: Uint8Array): string {
  return CID.createV1(RAW, createDigest(IDENTITY, content)).toString();
}

/** The content of such a CID; undefined when the text is any other CID. */
export function identityContent(text: string): Buffer | undefined {
  // Most pins are other people's: they are told by their first letters, without being decoded.
  if (!text.startsWith(BEGINS_WITH)) return undefined;
  const { multihash } = CID.parse(text);
  return multihash.code === IDENTITY ? Buffer.from(multihash.digest) : undefined;
}
