/** How claims are read out of an index: unit by unit, of which those that were there before need not be parsed. */
import type { ByteString } from '../../core/model.ts';
import type { Claim } from './claim.ts';
import type { UnitKeys } from './compared-units.ts';
import type { Part } from './units.ts';

/** Of units such as the paragraphs of `Packages`. */
export interface UnitReader<Unit> extends UnitKeys<Unit> {
  /** @throws UnreadableIndex */
  claimsOf(unit: Unit): readonly Claim[];
  /** The path of each claim, for less; of a unit without any sense, none. */
  pathsOf(unit: Unit): readonly (ByteString | undefined)[];
  /**
   * How many paths a part has, where the last component of none is among these names; for less than `pathsOf` of each unit. Undefined where
   * one may be, and where one leads nowhere: then each unit has to be looked at.
   */
  countBeside?(part: Part<Unit>, names: ReadonlySet<ByteString>): number | undefined;
}

/** Where the parser gives claims. */
export const CLAIMS: UnitReader<Claim> = {
  keyOf: ({ path, named, size, digest }) => `${path}\0${named}\0${size}\0${digest?.algorithm}\0${digest?.hex}`,
  keep: ({ path, named, size, digest }) => ({
    path: path === undefined ? undefined : copyOf(path),
    named: copyOf(named),
    size,
    digest: digest && { algorithm: digest.algorithm, hex: copyOf(digest.hex) },
  }),
  claimsOf: (claim) => [claim],
  pathsOf: ({ path }) => [path],
};

/** A part of a string keeps all of it in memory; a copy does not. @param text a byte string */
export function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
