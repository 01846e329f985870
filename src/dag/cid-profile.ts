/** The named CID profiles of IPIP-499 and the chunker argument, as `ipfs add` spells them. */
import { ShardctlError } from '../core/errors.ts';
import type { ChunkerOptions, CidProfile } from '../core/model.ts';

const MIB = 1024 * 1024;

/** Kubo refuses larger chunks: a block is 2 MiB at most, and 256 bytes of that are kept for its frame. */
const MAX_CHUNK_BYTES = 2 * MIB - 256;

export const PROFILES: Readonly<Record<string, CidProfile>> = {
  'unixfs-v1-2025': {
    name: 'unixfs-v1-2025',
    cidVersion: 1,
    rawLeaves: true,
    chunker: { kind: 'size', bytes: MIB },
    maxFileLinks: 1024,
    hamtThreshold: 256 * 1024,
    hamtEstimate: 'block',
  },
  'unixfs-v0-2015': {
    name: 'unixfs-v0-2015',
    cidVersion: 0,
    rawLeaves: false,
    chunker: { kind: 'size', bytes: 256 * 1024 },
    maxFileLinks: 174,
    hamtThreshold: 256 * 1024,
    hamtEstimate: 'links',
  },
};

/** @param chunker `size-N` or `rabin[-AVG]` or `rabin-MIN-AVG-MAX`; undefined keeps the profile's own */
export function profileOf(name: string, chunker?: string): CidProfile {
  const profile = PROFILES[name];
  if (profile === undefined) {
    throw new ShardctlError('USAGE', `unknown CID profile "${name}"`, { hint: `known profiles: ${Object.keys(PROFILES).join(', ')}` });
  }
  return chunker === undefined ? profile : { ...profile, name: `${name}+${chunker}`, chunker: parseChunker(chunker) };
}

/** The profile whose `name` this is: what snapshots and the index remember. */
export function profileNamed(name: string): CidProfile {
  const plus = name.indexOf('+');
  return plus < 0 ? profileOf(name) : profileOf(name.slice(0, plus), name.slice(plus + 1));
}

function parseChunker(text: string): ChunkerOptions {
  const [kind, ...rest] = text.split('-');
  const numbers = rest.map(Number);
  const [first, second, third] = numbers;
  const whole = numbers.every((n) => Number.isSafeInteger(n) && n > 0 && n <= MAX_CHUNK_BYTES);
  if (whole && kind === 'size' && first !== undefined && numbers.length === 1) return { kind: 'size', bytes: first };
  if (whole && kind === 'rabin' && (numbers.length <= 1 || numbers.length === 3)) {
    // Kubo: plain `rabin` averages 256 KiB; one number is the average, and min and max follow from it.
    const avg = second ?? first ?? 256 * 1024;
    const [min, max] = first !== undefined && third !== undefined ? [first, third] : [Math.floor(avg / 3), avg + Math.floor(avg / 2)];
    if (min >= 16 && min <= avg && avg <= max) return { kind: 'rabin', min, avg, max };
  }
  throw new ShardctlError('USAGE', `bad chunker "${text}"`, {
    hint: `use size-N (N up to ${MAX_CHUNK_BYTES}), rabin, rabin-AVG or rabin-MIN-AVG-MAX`,
  });
}
