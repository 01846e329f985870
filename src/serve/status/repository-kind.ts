/** Which package tool reads a repository, by what lies at its root, for the lines that people copy. */
import { type BlockId, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { hamtEntryName } from '../../dag/node-reader.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { NotInTree, readEntry } from '../../read/tree/tree.ts';
import { type FoundEntry, TreePaths } from '../../read/tree/tree-paths.ts';

export type Tool = 'apt' | 'dnf' | 'npm' | 'pip' | 'cargo' | 'go' | 'maven';

export interface RepositoryKind {
  /** Undefined where nobody knows: it is a tree of files then. */
  readonly tool: Tool | undefined;
  /** Of apt. */
  readonly suite?: string;
  readonly components?: readonly string[];
}

/** So many directories are gone into in search of a package: `org/example/group/name/1.0` of Maven is the deepest. */
const MOST_LEVELS = 8;
/** Names of a directory that are looked at. */
const MOST_NAMES = 64;

/** @throws ShardctlError when the tree cannot be read */
export async function kindOf(root: BlockId, blocks: Blocks): Promise<RepositoryKind> {
  const paths = new TreePaths();
  const find = async (path: string): Promise<FoundEntry | undefined> => {
    try {
      return await paths.find(root, path, blocks);
    } catch (error) {
      if (error instanceof NotInTree) return undefined;
      throw error;
    }
  };
  if ((await find('dists'))?.kind === DIRECTORY) return await suiteOf(find, blocks);
  if ((await find('repodata/repomd.xml'))?.kind === FILE) return { tool: 'dnf' };
  if ((await find('simple'))?.kind === DIRECTORY) return { tool: 'pip' };
  if ((await find('index/config.json'))?.kind === FILE) return { tool: 'cargo' };
  return { tool: await toolOfPackages(find, blocks) };
}

type Find = (path: string) => Promise<FoundEntry | undefined>;

/** The suite that most people want, and its components. */
async function suiteOf(find: Find, blocks: Blocks): Promise<RepositoryKind> {
  const suites = await namesIn(await find('dists'), blocks);
  const suite = ['stable', 'noble', 'jammy'].find((name) => suites.includes(name)) ?? suites[0];
  if (suite === undefined) return { tool: 'apt' };
  const components: string[] = [];
  for (const name of await namesIn(await find(`dists/${suite}`), blocks)) {
    if (name !== 'by-hash' && (await find(`dists/${suite}/${name}`))?.kind === DIRECTORY) components.push(name);
  }
  return { tool: 'apt', suite, components };
}

/** By what lies beside the first package: the tools that have no file at the root of their mirrors. */
async function toolOfPackages(find: Find, blocks: Blocks): Promise<Tool | undefined> {
  let path = '';
  for (let level = 0; level < MOST_LEVELS; level += 1) {
    const names = await namesIn(await find(path), blocks);
    if (names.includes('@v')) return 'go';
    if (path !== '' && names.includes('index.json')) return 'npm';
    if (names.includes('maven-metadata.xml') || names.some((name) => name.endsWith('.pom'))) return 'maven';
    let next: string | undefined;
    for (const name of names.filter((one) => !one.startsWith('.'))) {
      const entry = await find(joinBytes(path, name));
      if (entry?.kind !== DIRECTORY) continue;
      next = joinBytes(path, name);
      break;
    }
    if (next === undefined) return undefined;
    path = next;
  }
  return undefined;
}

/** The first names of a directory; of a HAMT directory those of its first nodes, in no order. */
async function namesIn(directory: FoundEntry | undefined, blocks: Blocks): Promise<string[]> {
  if (directory?.kind !== DIRECTORY) return [];
  const names: string[] = [];
  let node = directory.node;
  for (let level = 0; node !== undefined && level < MOST_LEVELS; level += 1) {
    const { links, type } = node;
    const entries = links.slice(0, MOST_NAMES);
    if (type === 'directory') return entries.map(({ name }) => name);
    const fanout = node.fanout ?? 0;
    names.push(...entries.flatMap(({ name }) => hamtEntryName(name, fanout) ?? []));
    const below = entries.find(({ name }) => hamtEntryName(name, fanout) === undefined);
    if (names.length > 0 || below === undefined) return names;
    const entry = await readEntry(below, blocks);
    node = 'links' in entry.content ? entry.content : undefined;
  }
  return names;
}
