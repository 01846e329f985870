/** The commands of the pages for operators do what the pages say, one after the other, in the places that these name. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { oneIn } from '../testing/depth.ts';
import { OperatorsWorld } from '../testing/operators-world.ts';

const sample = oneIn(3);

let world: OperatorsWorld;
before(() => {
  world = new OperatorsWorld();
});
beforeEach(() => world.restore());
after(() => world.dispose());

for (const page of ['backup-and-moving', 'sizing', 'upgrades']) {
  test(`docs/${page}.md`, { skip: sample() }, () => {
    const text = readFileSync(fileURLToPath(new URL(`../../../docs/${page}.md`, import.meta.url)), 'utf8');
    const commands = [...text.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, lines = '']) => lines.split('\n'));
    assert.notEqual(commands.length, 0);
    for (const command of commands) {
      const { code, said } = world.sh(command);
      assert.equal(code, 0, `${command}\n${said}`);
      if (command.endsWith('verify')) assert.match(said, /: no damage, /, command);
    }
  });
}
