/** A gate for mirrors of one made-up kind: the file `index`, at the root, names paths, one a line, that must be there. */
import { join } from 'node:path';
import { ShardctlError } from '../core/errors.ts';
import type { GateOrder, JudgedTree, PathChange } from '../core/gate.ts';
import { FILE } from '../core/model.ts';
import type { Contradiction, Verdict } from '../core/verdict.ts';
import { accept } from '../maintain/accept.ts';
import type { TestHome } from './run.ts';

/** Of a tree in which there is nothing to judge. */
export const NOTHING_FOUND: Verdict = {
  kinds: [],
  read: { indexes: 0, entries: 0, hashedBytes: 0 },
  count: 0,
  contradictions: [],
  asBefore: 0,
  leftOut: 0,
  lacking: [],
};

export class FakeGate {
  /** For each tree that was judged: whether there was one that had been passed, and the paths that differ from it. */
  readonly asked: { readonly hadPassed: boolean; readonly changed: readonly string[]; readonly changes: readonly PathChange[] }[] = [];

  order(action: 'hold' | 'warn' = 'hold', by = 'fake'): GateOrder {
    return {
      action,
      by,
      judge: (tree) => this.#judge(tree),
      isByName: false,
      has: async () => false,
      indexNames: async () => new Set(['index']),
    };
  }

  async #judge(tree: JudgedTree): Promise<Verdict> {
    const changes: PathChange[] = [];
    for await (const change of tree.changes()) changes.push(change);
    this.asked.push({ hadPassed: tree.passed !== undefined, changed: changes.map(({ path }) => path), changes });
    const found = await tree.entry('index');
    const index = found?.kind === FILE ? found : undefined;
    const read: Uint8Array[] = [];
    if (index !== undefined) for await (const bytes of tree.bytes(index)) read.push(bytes);
    const named = Buffer.concat(read).toString('latin1').split('\n').filter(Boolean);
    const missing: Contradiction[] = [];
    for (const path of named) {
      if ((await tree.entry(path)) === undefined)
        missing.push({ kind: 'debian', what: 'missing', index: 'index', path, detail: 'is missing' });
    }
    return {
      ...NOTHING_FOUND,
      kinds: index === undefined ? [] : ['debian'],
      read: { indexes: index === undefined ? 0 : 1, entries: named.length, hashedBytes: 0 },
      count: missing.length,
      contradictions: missing.slice(0, 100),
    };
  }
}

/** As `shardctl accept` does. */
export async function acceptIn(home: TestHome, number: number): Promise<void> {
  const index = await home.index();
  try {
    const snapshot = index.snapshot('test', number);
    if (snapshot === undefined) throw new ShardctlError('NOT_FOUND', `no snapshot ${number}`);
    await accept({ index, peers: home.peers, heads: join(home.dir, 'heads'), emit: () => {} }, snapshot);
  } finally {
    await index.close();
  }
}
