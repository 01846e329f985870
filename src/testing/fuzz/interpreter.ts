/** What a DAG stands for, by the field's own decoders, in the plainest way there is: the opinion that `get` is held against. */
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import type { CID } from 'multiformats/cid';
import { RAW } from '../../core/model.ts';
import { IDENTITY } from '../foreign-car.ts';

export interface Interpreted {
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Of a file; a symlink's target. */
  readonly content: Buffer;
  /** Undefined where the node says nothing, or what is the default anyway. */
  readonly mode: number | undefined;
  readonly mtime: { readonly secs: bigint; readonly nsecs?: number } | undefined;
  /** No Linux file system can hold it. */
  readonly isImpossible: boolean;
}

const MOST_NAME_BYTES = 255;
const MOST_TARGET_BYTES = 4095;

export interface Interpretation {
  /** By path; what is below something impossible is left out. */
  readonly entries: ReadonlyMap<string, Interpreted>;
  /** How often a block was looked at: once for each time that it is in the tree, and a few times for its kind. */
  readonly looks: number;
}

/** @param blockOf a block by the hex of its sha2-256 */
export function interpret(root: CID, blockOf: (digest: string) => Uint8Array | undefined): Interpretation {
  const entries = new Map<string, Interpreted>();
  const contents = new Map<string, Buffer>();
  let looks = 0;
  visit(root, '', 0);
  return { entries, looks };

  function visit(cid: CID, path: string, nameBytes: number): void {
    const entry = entryOf(cid);
    const isTooLong = nameBytes > MOST_NAME_BYTES;
    entries.set(path, { ...entry, isImpossible: isTooLong || entry.isImpossible });
    if (entry.kind === 'directory' && !isTooLong)
      for (const [name, below] of namesIn(cid)) visit(below, path === '' ? name : `${path}/${name}`, Buffer.byteLength(name));
  }

  function entryOf(cid: CID): Interpreted {
    const nothing = { mode: undefined, mtime: undefined, isImpossible: false };
    if (cid.code === RAW) return { kind: 'file', content: bytesOf(cid), ...nothing };
    const { unixfs } = nodeOf(cid);
    const isDirectory = unixfs.isDirectory();
    const isDefault = unixfs.mode === (isDirectory ? 0o755 : 0o644);
    const told = { ...nothing, mode: isDefault ? undefined : unixfs.mode, mtime: unixfs.mtime };
    if (isDirectory) return { kind: 'directory', content: Buffer.alloc(0), ...told };
    const content = fileOf(cid);
    if (unixfs.type !== 'symlink') return { kind: 'file', content, ...told };
    const isImpossible = content.length === 0 || content.length > MOST_TARGET_BYTES || content.includes(0);
    return { kind: 'symlink', content, ...told, isImpossible };
  }

  function namesIn(cid: CID): [string, CID][] {
    const { links, unixfs } = nodeOf(cid);
    if (unixfs.type === 'directory') return links.map(({ Name, Hash }) => [Name ?? '', Hash]);
    const digits = (Number(unixfs.fanout) - 1).toString(16).length;
    return links.flatMap(({ Name = '', Hash }): [string, CID][] => (Name.length === digits ? namesIn(Hash) : [[Name.slice(digits), Hash]]));
  }

  /** Each part once: no bytes, three times over, sixty levels high, would take for ever. */
  function fileOf(cid: CID): Buffer {
    const content = contents.get(cid.toString()) ?? readFile(cid);
    contents.set(cid.toString(), content);
    return content;
  }

  function readFile(cid: CID): Buffer {
    if (cid.code === RAW) return bytesOf(cid);
    const { links, unixfs } = nodeOf(cid);
    looks += links.length;
    return Buffer.concat([unixfs.data ?? Buffer.alloc(0), ...links.map(({ Hash }) => fileOf(Hash))]);
  }

  function nodeOf(cid: CID) {
    const { Links: links, Data } = dagPb.decode(bytesOf(cid));
    return { links, unixfs: UnixFS.unmarshal(Data ?? new Uint8Array(0)) };
  }

  function bytesOf({ multihash }: CID): Buffer {
    looks++;
    const block = multihash.code === IDENTITY ? multihash.digest : blockOf(Buffer.from(multihash.digest).toString('hex'));
    if (block === undefined) throw new Error('a block is missing');
    return Buffer.from(block);
  }
}
