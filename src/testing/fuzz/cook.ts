/** Makes the blocks of a recipe, with the encoders of `foreign-car.ts` that check nothing. */
import type { CID } from 'multiformats/cid';
import { DAG_PB } from '../../core/model.ts';
import { hashName } from '../../dag/murmur.ts';
import {
  carV2,
  DAG_CBOR,
  type ForeignBlock,
  ForeignCar,
  type ForeignLink,
  foreignNode,
  foreignUnixFs,
  IDENTITY,
  SHA2_256,
  SHA2_512,
  TYPE,
} from '../foreign-car.ts';
import type { FuzzEntry, FuzzMetadata, Mutation, Recipe, Step } from './recipe.ts';

interface Cooked {
  readonly cid: CID;
  /** Bytes of the file that it is, or is a part of; undefined when it is none. */
  readonly bytes?: number;
}

export interface CookedCar {
  readonly root: CID;
  readonly bytes: Buffer;
  readonly blocks: readonly ForeignBlock[];
  /** Blocks and links that were made: what the work on them is measured by. */
  readonly parts: number;
}

/** IPFS allows no more in a CID. */
const MOST_INLINE = 128;

class Kitchen {
  readonly car = new ForeignCar();
  readonly #made: Cooked[];
  parts = 0;

  constructor() {
    this.#made = [{ cid: this.car.raw('first'), bytes: 5 }];
  }

  cook(step: Step): void {
    this.#made.push(this.#make(step));
  }

  directory(entries: readonly FuzzEntry[], metadata: FuzzMetadata, inline: boolean): Cooked {
    const sorted = [...this.#links(entries)].sort((a, b) => Buffer.compare(nameOf(a), nameOf(b)));
    return { cid: this.#node(sorted, foreignUnixFs({ type: TYPE.directory, ...defined(metadata, 0o700) }), inline) };
  }

  #make(step: Step): Cooked {
    switch (step.kind) {
      case 'leaf': {
        const data = Buffer.from(step.data);
        const hash = step.hash === 'sha2-512' ? SHA2_512 : step.hash === 'inline' && data.length <= MOST_INLINE ? IDENTITY : SHA2_256;
        this.parts++;
        return { cid: this.car.raw(data, hash), bytes: data.length };
      }
      case 'wrapped': {
        const data = Buffer.from(step.data);
        return { cid: this.#node([], foreignUnixFs({ type: TYPE.raw, data, filesize: data.length }), step.inline), bytes: data.length };
      }
      case 'file':
        return this.#file(step);
      case 'directory':
        return this.directory(step.entries, step.metadata, step.inline);
      case 'hamt':
        return this.#hamt(step);
      case 'symlink':
        return {
          cid: this.#node(
            [],
            foreignUnixFs({ type: TYPE.symlink, data: Buffer.from(step.target, 'latin1'), ...defined(step.metadata, 0) }),
          ),
        };
      case 'tower':
        return this.#tower(step);
      case 'junk':
        this.parts++;
        return { cid: this.car.put(Buffer.from(step.data), step.data.length % 2 === 0 ? DAG_PB : DAG_CBOR) };
    }
  }

  #file({ parts, data, lie, metadata }: Extract<Step, { kind: 'file' }>): Cooked {
    const all = parts.map((part) => this.#at(part));
    const below = lie === 'none' ? all.filter((part) => part.bytes !== undefined) : all;
    const sizes = below.map(({ bytes = 0 }, index) => bytes + (lie === 'part' && index === 0 ? 1 : 0));
    const bytes = sizes.reduce((sum, size) => sum + size, data.length);
    const blocksizes = lie === 'noParts' ? [] : lie === 'tooFewParts' ? sizes.slice(1) : sizes;
    const filesize = lie === 'size' ? bytes + 1 : bytes;
    const own = data === '' ? {} : { data: Buffer.from(data) };
    const size = lie === 'noSize' ? {} : { filesize };
    const unixFs = foreignUnixFs({ type: TYPE.file, ...own, ...size, blocksizes, ...defined(metadata, 0o400) });
    return {
      cid: this.#node(
        below.map(({ cid }) => ({ cid })),
        unixFs,
      ),
      bytes,
    };
  }

  /** By the specification: so many bits of the name's hash a level, until each name has a slot of its own. */
  #hamt({ entries, fanout, lie, metadata }: Extract<Step, { kind: 'hamt' }>): Cooked {
    const once = [...new Map([...this.#links(entries)].map((link) => [nameOf(link).toString('latin1'), link])).entries()];
    const digits = (fanout - 1).toString(16).length;
    const bits = BigInt(Math.floor(Math.log2(fanout)));
    const slotOf = (name: string, level: bigint) => Number((hashOf(name) >> (64n - (level + 1n) * bits)) & BigInt(fanout - 1));
    const node = (links: readonly (readonly [string, ForeignLink])[], level: bigint): CID => {
      const slots = new Map<number, (readonly [string, ForeignLink])[]>();
      for (const link of links) slots.set(slotOf(link[0], level), [...(slots.get(slotOf(link[0], level)) ?? []), link]);
      const made = [...slots]
        .sort(([a], [b]) => a - b)
        .map(([slot, there]): ForeignLink => {
          const prefix = (lie === 'slot' ? (slot + 1) % fanout : slot).toString(16).toUpperCase().padStart(digits, '0');
          const [only] = there;
          return there.length === 1 && only !== undefined
            ? { name: Buffer.concat([Buffer.from(prefix), Buffer.from(only[0], 'latin1')]), cid: only[1].cid }
            : { name: prefix, cid: node(there, level + 1n) };
        });
      if (lie === 'twice' && made[0] !== undefined) made.push(made[0]);
      if (lie === 'empty' && level === 0n) made.push({ name: 'F'.repeat(digits), cid: node([], 1n) });
      const told = lie === 'fanout' && level > 0n ? fanout * 2 : fanout;
      const own = level === 0n ? defined(metadata, 0o700) : {};
      return this.#node(made, foreignUnixFs({ type: TYPE.hamt, data: Buffer.from([1]), fanout: told, ...own }));
    };
    return { cid: node(once, 0n) };
  }

  #tower({ node, levels, ways }: Extract<Step, { kind: 'tower' }>): Cooked {
    // What stands for few entries is written out, and so for few bytes: 3^20 of them would be neither.
    const most = ways === 1 ? levels : levels > 5 ? 60 : levels;
    let below = this.#at(node);
    for (let level = 0; level < most; level++) {
      const links = Array.from({ length: ways }, (_, n) => ({ name: below.bytes === undefined ? `${n}` : '', cid: below.cid }));
      if (below.bytes === undefined) below = { cid: this.#node(links, foreignUnixFs({ type: TYPE.directory })) };
      else {
        const blocksizes = links.map(() => below.bytes ?? 0);
        const filesize = (below.bytes ?? 0) * ways;
        below = { cid: this.#node(links, foreignUnixFs({ type: TYPE.file, filesize, blocksizes })), bytes: filesize };
      }
    }
    return below;
  }

  #node(links: readonly ForeignLink[], data: Buffer, inline = false): CID {
    const block = foreignNode(links, data);
    this.parts += 1 + links.length;
    return this.car.put(block, DAG_PB, inline && block.length <= MOST_INLINE ? IDENTITY : SHA2_256);
  }

  *#links(entries: readonly FuzzEntry[]): Generator<ForeignLink> {
    for (const { name, node } of entries)
      yield { name: Buffer.from(name, name.includes('\xff') ? 'latin1' : 'utf8'), cid: this.#at(node).cid };
  }

  #at(pick: number): Cooked {
    return this.#made[pick % this.#made.length] as Cooked;
  }
}

export function cook({ steps, entries, mutations }: Recipe): CookedCar {
  const kitchen = new Kitchen();
  for (const step of steps) kitchen.cook(step);
  const { cid: root } = kitchen.directory(entries, {}, false);
  let bytes = kitchen.car.v1(root);
  for (const mutation of mutations) bytes = mutated(bytes, mutation);
  return { root, bytes, blocks: kitchen.car.blocks, parts: kitchen.parts };
}

/** Whoever runs this must be able to look at what comes back: `needed` bits are always there. */
function defined({ mode, mtime }: FuzzMetadata, needed: number) {
  const time =
    mtime === undefined
      ? {}
      : { mtime: { seconds: mtime.seconds, ...(mtime.nanoseconds === undefined ? {} : { nanoseconds: mtime.nanoseconds }) } };
  return { ...(mode === undefined ? {} : { mode: mode | needed }), ...time };
}

function mutated(car: Buffer, mutation: Mutation): Buffer {
  switch (mutation.kind) {
    case 'cut':
      return car.subarray(0, mutation.at % car.length);
    case 'flip': {
      const wrong = Buffer.from(car);
      const at = mutation.at % wrong.length;
      wrong[at] = (wrong[at] as number) ^ (1 << mutation.bit);
      return wrong;
    }
    case 'insert': {
      const at = mutation.at % car.length;
      return Buffer.concat([car.subarray(0, at), mutation.bytes, car.subarray(at)]);
    }
    case 'zeros':
      return Buffer.concat([car, Buffer.alloc(mutation.count)]);
    case 'v2':
      return carV2(car, { padding: mutation.padding });
    case 'overlong':
      return Buffer.concat([Buffer.of((car[0] as number) | 0x80, 0), car.subarray(1)]);
  }
}

function nameOf({ name = '' }: ForeignLink): Buffer {
  return Buffer.from(name);
}

function hashOf(name: string): bigint {
  const [high, low] = [new Uint32Array(1), new Uint32Array(1)];
  hashName(name, high, low, 0);
  return ((BigInt(high[0] as number) << 32n) | BigInt(low[0] as number)) & (2n ** 64n - 1n);
}
