/** The commands of the pages for operators do what the pages say, one after the other, in the places that these name. */
import { after, before, test } from 'node:test';
import { oneIn } from '../testing/depth.ts';
import { OperatorsWorld } from '../testing/operators-world.ts';
import { OPERATORS_PAGES } from '../testing/pages/operators-pages.ts';
import { runPage } from '../testing/pages/run-page.ts';

const sample = oneIn(18);

let world: OperatorsWorld;
before(() => {
  world = new OperatorsWorld();
});
after(() => world.dispose());

for (const [page, it] of Object.entries(OPERATORS_PAGES)) {
  test(`docs/${page}.md`, { skip: sample() }, async (t) => {
    const missing = it.without?.();
    if (missing) return t.skip(missing);
    await runPage(t, page, world, it);
  });
}
