/** What package tools can do with the gateway of a stock Kubo that has the trees, and what they cannot. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { kuboBinary } from '../../testing/kubo.ts';
import { KuboGateway } from '../../testing/package-tools/kubo-gateway.ts';
import type { PackageMirror, PackageTool } from '../../testing/package-tools/package-tool.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { type Block, blocksOf } from '../../testing/package-tools/page.ts';
import { apt } from '../../testing/package-tools/tools/apt.ts';
import { cargo } from '../../testing/package-tools/tools/cargo.ts';
import { dnf } from '../../testing/package-tools/tools/dnf.ts';
import { go } from '../../testing/package-tools/tools/go.ts';
import { mvn } from '../../testing/package-tools/tools/mvn.ts';
import { npm } from '../../testing/package-tools/tools/npm.ts';
import { pip } from '../../testing/package-tools/tools/pip.ts';

const GATEWAY = 'A stock Kubo gateway';
/** They find packages by whole URLs, which a tree cannot know of itself: their mirrors are read by a name. */
const NAMED: readonly PackageTool[] = [npm, cargo];
const TOOLS = [apt, dnf, npm, pip, go, cargo, mvn].filter(({ isMissing }) => isMissing === false);

describe("a stock Kubo's gateway", { skip: onlyInAll(kuboBinary() === undefined && 'no Kubo binary') }, () => {
  let trial: PackageTrial;
  let gateway: KuboGateway;
  const trees = new Map<PackageTool, string>();
  const names = new Map<PackageTool, string>();
  before(async () => {
    trial = await PackageTrial.open();
    gateway = KuboGateway.init(trial.scratch('kubo'), `/ip4/127.0.0.1/tcp/${new URL(trial.url).port}`);
    for (const tool of TOOLS) {
      if (NAMED.includes(tool)) names.set(tool, gateway.nameOf(tool.name));
      const mirror = trial.add(tool, `ipns/${names.get(tool)}`);
      trees.set(tool, give(tool));
      if (tool === npm) {
        await copyPackuments(mirror);
        give(npm);
      }
    }
    await gateway.start(trial.network);
  });
  after(async () => {
    await gateway.stop();
    await trial.close();
  });

  /** Gives the newest tree to Kubo. @returns its CID */
  function give(tool: PackageTool): string {
    const { name, repository } = tool;
    const car = trial.scratch(`${name}.car`);
    trial.program.succeeds('export', repository, '--car', car, '--overwrite');
    gateway.take(car);
    const { tree } = trial.program.head(repository);
    if (NAMED.includes(tool)) gateway.publish(name, tree);
    return tree;
  }

  /** As the page says, in the directory of the mirror. */
  async function copyPackuments({ dir }: PackageMirror): Promise<void> {
    const [command] = blocksOf(GATEWAY, 'npm from Kubo');
    await trial.sandbox({ '/srv/mirror/npm': dir }).follow([command as Block]);
    trial.program.succeeds('update', npm.repository);
  }

  async function install(tool: PackageTool, blocks = blocksOf(GATEWAY, `${tool.name} from Kubo`)): Promise<string> {
    const sandbox = await tool.sandbox(trial, { TREE: trees.get(tool) as string, NAME: names.get(tool) ?? '' });
    await sandbox.follow(blocks);
    return await tool.installed(sandbox);
  }

  for (const tool of TOOLS.filter((tool) => tool !== npm)) {
    test(`${tool.name} installs from it`, async () => assert.equal(await install(tool), 'hello 1.0.0'));
  }

  test('npm installs from it when packuments are index.html, too', { skip: npm.isMissing }, async () => {
    assert.equal(await install(npm, blocksOf(GATEWAY, 'npm from Kubo').slice(1)), 'hello 1.0.0');
  });

  test('npm gets a listing where there is index.json alone', { skip: npm.isMissing }, async () => {
    const blocks = blocksOf('npm').map((block) => ({ ...block, text: block.text.replace('/npm/', '/ipfs/TREE/') }));
    await assert.rejects(install(npm, blocks), /invalid json response body at \S+ reason: Unexpected token '<', "<!DOCTYPE "/);
  });
});
