/** What an index says of one file. */
import { ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';

/** As node:crypto names them. */
export type Algorithm = 'sha256' | 'sha512' | 'sha384' | 'sha224' | 'sha1' | 'md5';

export interface Claim {
  /** In the tree; undefined where what the index names is no path in it. */
  readonly path: ByteString | undefined;
  /** As the index has it, for messages. */
  readonly named: ByteString;
  /** Bytes; undefined where the index does not say. */
  readonly size: number | undefined;
  /** The strongest that the index gives, in lower-case hex. */
  readonly digest: { readonly algorithm: Algorithm; readonly hex: string } | undefined;
}

/** Claims as they are read, some at a time: so that an index of a million entries is not a million turns of the event loop. */
export type Claims = AsyncIterable<readonly Claim[]>;

/** An index that cannot be read as one; the message is the `detail` of the contradiction. */
export class UnreadableIndex extends Error {}

/** The program that would unpack an index is not on this machine, or does not work. */
export class NoUnpacker extends ShardctlError {
  readonly program: string;

  constructor(program: string, cause?: unknown) {
    super('BAD_CONFIG', `the gate cannot read this mirror's indexes: there is no \`${program}\` on this machine that works`, {
      hint: `install it (${program === 'xz' ? 'xz-utils on Debian, xz on Fedora' : program}), or leave the gate out with --gate off`,
      cause,
    });
    this.program = program;
  }
}

/** A part of a path that is no name. */
const NO_NAME = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Where `named`, a relative path of a stranger, leads from a directory of the tree; undefined when it leads out of the tree or nowhere. */
export function pathWithin(directory: ByteString, named: ByteString): ByteString | undefined {
  if (named === '' || named.startsWith('/') || named.includes('\0')) return undefined;
  if (!NO_NAME.test(named)) return joinBytes(directory, named);
  const names = directory === '' ? [] : directory.split('/');
  for (const name of named.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names.length === 0 ? undefined : names.join('/');
}

const DIGITS: Readonly<Record<Algorithm, number>> = { sha256: 64, sha512: 128, sha384: 96, sha224: 56, sha1: 40, md5: 32 };

/** @returns undefined for an algorithm that is not known, and for what is no digest of it */
export function digestNamed(algorithm: string, hex: string): Claim['digest'] {
  const name = algorithm === 'sha' ? 'sha1' : algorithm;
  const digits = Object.hasOwn(DIGITS, name) ? DIGITS[name as Algorithm] : -1;
  return hex.length === digits && /^[0-9a-fA-F]+$/.test(hex) ? { algorithm: name as Algorithm, hex: hex.toLowerCase() } : undefined;
}

/** A count of bytes in decimal digits; undefined for anything else. */
export function sizeIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
