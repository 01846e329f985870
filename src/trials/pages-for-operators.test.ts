/** The commands of the pages for operators do what the pages say, one after the other, in the places that these name. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { oneIn } from '../testing/depth.ts';
import { freePort } from '../testing/free-port.ts';
import { OperatorsWorld } from '../testing/operators-world.ts';

const sample = oneIn(4);

let world: OperatorsWorld;
before(() => {
  world = new OperatorsWorld();
});
beforeEach(() => world.restore());
after(() => world.dispose());

/** What each page needs to be otherwise than the world is. */
const PAGES: Readonly<Record<string, () => void>> = {
  'quick-start': () => {
    for (const path of ['var/lib/shardctl', 'mnt']) rmSync(world.at(path), { recursive: true });
    for (const disk of ['disk1', 'disk2']) mkdirSync(world.at(`mnt/${disk}`), { recursive: true });
  },
  'backup-and-moving': () => {},
  sizing: () => {},
  upgrades: () => {},
  config: () => {},
  retention: () => {
    for (let snapshot = 3; snapshot <= 7; snapshot++) {
      writeFileSync(world.at('srv/debian/NEWS'), `${snapshot}\n`);
      world.shardctl('update debian -q');
    }
    for (const name of ['npm', 'pypi']) world.shardctl(`add /srv/debian --name ${name} -q`);
  },
};

for (const [page, prepare] of Object.entries(PAGES)) {
  test(`docs/${page}.md`, { skip: sample() }, async (t) => {
    prepare();
    const text = readFileSync(fileURLToPath(new URL(`../../../docs/${page}.md`, import.meta.url)), 'utf8');
    const blocks = [...text.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, lines = '']) => lines);
    // What goes on in the background is one script with what is done meanwhile.
    const commands = blocks.flatMap((block) => (block.includes(' &\n') ? [block] : block.split('\n')));
    assert.notEqual(commands.length, 0);
    const port = await freePort();
    for (const command of commands) {
      if (command.includes('curl') && spawnSync('curl', ['--version']).status !== 0) {
        t.diagnostic(`left out, because curl is not installed: ${command}`);
        continue;
      }
      const { code, said } = world.sh(command.replaceAll('8080', port));
      assert.equal(code, 0, `${command}\n${said}`);
      if (command.endsWith('verify')) assert.match(said, /: no damage, /, command);
      if (command.includes('curl')) assert.match(said, /^Codename: bookworm$/m);
      if (command.includes(' -q')) assert.equal(said, '');
    }
  });
}
