/** The law of what is shown: exactly what the repositories reach that a request may read, by the obvious slow model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { BlockId } from '../../core/model.ts';
import { sampled } from '../../testing/depth.ts';
import { type MadeBlock, ModelHome } from '../../testing/model-home.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { Access, NotYetKnown } from './access.ts';
import { Tokens } from './tokens.ts';

const NAMES = ['a', 'b', 'c'];
const TOKEN_OF: Readonly<Record<string, string>> = { a: 'a'.repeat(20), b: 'b'.repeat(20), c: 'c'.repeat(20), '*': 'd'.repeat(20) };
type Step =
  | { readonly do: 'commit'; readonly name: string; readonly tree: number }
  | { readonly do: 'forget'; readonly name: string; readonly at: number }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'rename'; readonly name: string; readonly to: string }
  | { readonly do: 'tokens'; readonly names: readonly string[] };

const someBlocks: fc.Arbitrary<readonly MadeBlock[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('leaf', 'copy', 'node', 'node', 'node'),
    of: fc.array(fc.nat(30), { maxLength: 4 }),
    shard: fc.nat(3),
  }),
  { minLength: 3, maxLength: 24 },
);

const someName = fc.constantFrom(...NAMES);
const someSteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('commit' as const), name: someName, tree: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), name: someName, at: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), name: someName }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), name: someName, to: someName }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('tokens' as const), names: fc.subarray([...NAMES, '*']) }) },
  ),
  { minLength: 1, maxLength: 8 },
);

const asker = (name: string | undefined) => ({ headers: name === undefined ? {} : { authorization: `Bearer ${TOKEN_OF[name]}` } });

async function settled(access: Access, askers: readonly ReturnType<typeof asker>[], view: MirrorView, digest: Uint8Array): Promise<void> {
  for (const one of askers) {
    for (;;) {
      try {
        access.sees(one, view, digest);
        break;
      } catch (error) {
        if (!(error instanceof NotYetKnown)) throw error;
        await turn();
      }
    }
  }
}

test('a request sees exactly the blocks that a repository reaches which it may read, and shards all of whose blocks it sees', async () => {
  const everybody = [undefined, ...Object.keys(TOKEN_OF)];
  await fc.assert(
    fc.asyncProperty(someBlocks, someSteps, fc.subarray(NAMES), async (made, steps, served) => {
      const model = new ModelHome(made);
      model.changed();
      const troubles: string[] = [];
      const control = { signal: new AbortController().signal, onTrouble: (message: string) => void troubles.push(message) };
      const isServed = (name: string) => served.length === 0 || served.includes(name);
      let tokens: readonly string[] = [];
      const filtered = filteredBy(model, isServed);
      const access = new Access({ mirror: filtered, tokens: Tokens.NONE, names: served, ...control });
      const unknown = Buffer.alloc(32, 7);
      for (const step of steps) {
        if (step.do === 'commit') model.commit(step.name, step.tree);
        else if (step.do === 'remove') {
          model.repositories.delete(step.name);
          model.renamedFrom.delete(step.name);
        } else if (step.do === 'rename') model.rename(step.name, step.to);
        else if (step.do === 'forget') {
          const kept = model.repositories.get(step.name)?.toSpliced(step.at, 1) ?? [];
          if (kept.length > 0) model.repositories.set(step.name, kept);
        } else {
          tokens = step.names;
          const text = tokens.map((name) => `${name} ${TOKEN_OF[name]}\n`).join('');
          access.renewTokens(text === '' ? Tokens.NONE : Tokens.of(text, 'tokens'));
        }
        model.changed();
        const view = filtered.acquire();
        await settled(access, everybody.map(asker), view, unknown);
        const isAllShown = tokens.length === 0 && served.length === 0;
        for (const name of everybody) {
          const opensAll = name === '*' && tokens.includes('*');
          const before = (it: string) => model.renamedFrom.get(it) ?? [];
          const isPrivate = (it: string) =>
            tokens.length > 0 && ([it, ...before(it)].some((one) => tokens.includes(one)) || !tokens.some((token) => token !== '*'));
          const opened = (it: string) => [it, ...before(it).filter((one) => !model.repositories.has(one))];
          const opens = (it: string) => name !== undefined && tokens.includes(name) && opened(it).includes(name);
          const mayRead = (it: string) => isServed(it) && (!isPrivate(it) || opensAll || opens(it));
          const shown = model.shownOf([...model.repositories.keys()].filter(mayRead));
          const isFree = isAllShown || (opensAll && served.length === 0);
          for (const [key, digest] of model.all) {
            assert.equal(access.sees(asker(name), view, digest), isFree || shown.has(key), `${name} ${key}`);
          }
        }
        filtered.release(view);
      }
      while (access.isAtWork) await turn();
      assert.deepEqual([troubles, model.held], [[], 0]);
    }),
    { numRuns: sampled(50, 1000) },
  );
});

function filteredBy(model: ModelHome, isServed: (name: string) => boolean): Mirror {
  const views = new WeakMap<MirrorView, MirrorView>();
  const of = (view: MirrorView) => {
    const repositories = new Map([...view.repositories].filter(([name]) => isServed(name)));
    const served = views.get(view) ?? { ...view, repositories };
    views.set(view, served);
    return served;
  };
  return {
    get newest() {
      return of(model.newest);
    },
    acquire: () => of(model.acquire()),
    release: () => model.release(),
    onChange: (listener) => model.onChange((view) => listener(of(view))),
  };
}

test('what is below a node that cannot be read is hidden, the rest is not, and it is shown when it can be read again', async () => {
  const node = (...of: number[]): MadeBlock => ({ kind: 'node', of, shard: 0 });
  const model = new ModelHome([node(0), node(1), node(4, 5)]);
  model.commit('a', 6);
  model.changed();
  const [lost, leaf, other] = [4, 0, 1].map((at) => model.pool[at] as BlockId) as [BlockId, BlockId, BlockId];
  const bytes = model.bytesOf(lost);
  model.blocks.drop(lost.digest);
  const troubles: string[] = [];
  const access = new Access({
    mirror: model,
    tokens: Tokens.of(`b ${TOKEN_OF.b}`, 'tokens'),
    names: [],
    onTrouble: (message) => troubles.push(message),
    signal: new AbortController().signal,
  });
  const view = model.acquire();
  await settled(access, [asker(undefined)], view, Buffer.alloc(32));
  assert.deepEqual(
    [lost, leaf, other].map(({ digest }) => access.sees(asker(undefined), view, digest)),
    [true, false, true],
  );
  assert.ok(troubles.length > 0);
  model.blocks.put(bytes);
  model.changed();
  const next = model.acquire();
  await settled(access, [asker(undefined)], next, Buffer.alloc(32));
  assert.ok(access.sees(asker(undefined), next, leaf.digest));
});

test('whoever may not read a repository is answered as if there were none, and as if there were one', () => {
  const model = new ModelHome([]);
  model.changed();
  const control = { mirror: model, names: [], onTrouble: () => {}, signal: new AbortController().signal };
  const open = new Access({ tokens: Tokens.NONE, ...control });
  assert.equal(open.refusal(asker(undefined)).code, 404);
  const access = new Access({ tokens: Tokens.of(`a ${TOKEN_OF.a}\n* ${TOKEN_OF['*']}`, 'tokens'), ...control });
  assert.deepEqual(
    [access.mayRead(asker(undefined), 'a'), access.mayRead(asker(undefined), 'b'), access.mayRead(asker('a'), 'a')],
    [false, true, true],
  );
  assert.equal(access.refusal(asker(undefined)).code, 401);
  assert.ok(access.refusal(asker(undefined)).headers['www-authenticate']);
  assert.equal(access.refusal(asker('*')).code, 404);
  const served = new Access({ tokens: Tokens.NONE, ...control, names: ['a'] });
  assert.deepEqual([served.mayRead(asker(undefined), 'a'), served.mayRead(asker(undefined), 'b')], [true, false]);
});
