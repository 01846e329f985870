/**
 * The gate for mirrors of packages: finds the repositories of a tree, has each judged by those who know its kind, and sums up.
 *
 * With a tree that was passed before, only repositories in which something has changed are looked at. A package that went, and that no
 * index has named, may be one that a symlink leads to: then, and when a symlink itself has changed, the whole tree is compared with the
 * passed one, file by file, which reads no file that is the same.
 */
import type { Gate, JudgedTree, StoredTree } from '../core/gate.ts';
import { type ByteString, FILE } from '../core/model.ts';
import { joinBytes, partsOf } from '../core/path-bytes.ts';
import type { GateKind, GateSetting } from '../core/verdict.ts';
import { ChangedPaths } from './claims/changed-paths.ts';
import { Comparison } from './claims/comparison.ts';
import { Findings } from './claims/findings.ts';
import { isPackage, PACKUMENTS, PAGES, projectsOf, REPOMD, SIMPLE } from './claims/index-files.ts';
import type { HeadLook } from './old-contradictions.ts';
import { allRepositories, changedRepositories, type Repository } from './repositories.ts';

/** Judges by these settings; `off` finds nothing. */
export function packageGate(setting: GateSetting): Gate {
  return async (tree, signal) => {
    if (setting.kinds === 'off') return new Findings().verdict();
    const findings = await new Judging(setting, tree, signal).findings();
    const { head } = tree;
    if (head !== undefined && findings.hasAny) {
      const { setApartOld } = await import('./old-contradictions.ts');
      await setApartOld(findings, { tree, head }, setting.kinds === 'auto', (look) =>
        new Judging(setting, asNew(head, tree), signal, look).findings(),
      );
    }
    return findings.verdict();
  };
}

/** Of which nothing was passed. */
function asNew(tree: StoredTree, { leavesOut }: JudgedTree): JudgedTree {
  return {
    entry: (path) => tree.entry(path),
    names: (path) => tree.names(path),
    bytes: (file) => tree.bytes(file),
    passed: undefined,
    head: undefined,
    changes: async function* () {},
    leavesOut,
  };
}

/** One tree that is judged. */
class Judging {
  readonly #setting: GateSetting;
  readonly #tree: JudgedTree;
  readonly #signal: AbortSignal;
  readonly #look: HeadLook | undefined;

  /** @param look for a tree that is the head already, of which only some is asked */
  constructor(setting: GateSetting, tree: JudgedTree, signal: AbortSignal, look?: HeadLook) {
    this.#setting = setting;
    this.#tree = tree;
    this.#signal = signal;
    this.#look = look;
  }

  async findings(): Promise<Findings> {
    const changed = await ChangedPaths.of(this.#tree);
    if (changed !== undefined && !changed.hasSymlinks) {
      const comparison = this.#comparing(changed);
      for await (const found of changedRepositories(this.#tree, changed, this.#signal)) await this.#judge(comparison, found);
      if (!(await this.#isReachable(changed))) {
        await this.#expectKinds(comparison, changed);
        return comparison.findings;
      }
    }
    const comparison = this.#comparing(undefined);
    for await (const found of allRepositories(this.#tree, this.#signal)) await this.#judge(comparison, found);
    this.#missKinds(comparison, comparison.findings.kinds);
    return comparison.findings;
  }

  #comparing(changed: ChangedPaths | undefined): Comparison {
    return new Comparison({
      tree: this.#tree,
      changed,
      findings: new Findings(),
      isLenient: this.#setting.kinds === 'auto',
      isCredulous: this.#setting.kinds !== 'auto' || this.#look !== undefined,
      ...this.#look,
      signal: this.#signal,
    });
  }

  #isAsked(kind: GateKind): boolean {
    const { kinds } = this.#setting;
    return kinds === 'auto' || kinds.includes(kind);
  }

  async #judge(comparison: Comparison, { kind, path, isFlat = false }: Repository): Promise<void> {
    if (!this.#isAsked(kind)) return;
    const { keyrings } = this.#setting;
    const { changed } = comparison;
    // Loaded when an index of their kind is found: to load all of them takes as long as to judge a small archive.
    if (kind === 'debian') {
      const { judgeArchive, judgeFlatArchive } = await import('./debian/archive.ts');
      await (isFlat ? judgeFlatArchive : judgeArchive)(comparison, path, keyrings);
    } else if (kind === 'rpm') await (await import('./rpm/repository.ts')).judgeRpm(comparison, path);
    else if (kind === 'npm') await (await import('./npm/packument.ts')).judgePackument(comparison, path);
    else {
      const { judgePythonIndex } = await import('./pypi/python-index.ts');
      await judgePythonIndex(comparison, path, changed && changedProjects(path, changed));
    }
  }

  /** Whether a package went that no index has named, of which others may hence know another way. */
  async #isReachable(changed: ChangedPaths): Promise<boolean> {
    for (const path of changed.unnamed()) if (isPackage(path) && !(await this.#wentWithIndex(path, changed))) return true;
    return false;
  }

  /** Whether the index that would have named this package is gone, too. */
  async #wentWithIndex(path: ByteString, changed: ChangedPaths): Promise<boolean> {
    for (let above = partsOf(path).above; ; above = partsOf(above).above) {
      const pages = projectsOf(above, path).flatMap((project) => PAGES.map((page) => `${SIMPLE}/${project}/${page}`));
      for (const index of [REPOMD, ...PACKUMENTS, ...pages]) {
        const at = joinBytes(above, index);
        if (changed.wasThere(at) && (await this.#tree.entry(at)) === undefined) return true;
      }
      if (above === '') return false;
    }
  }

  /** A kind that was asked for by name has to be there: the passed tree had it, and it may be among what went. */
  async #expectKinds({ findings }: Comparison, changed: ChangedPaths): Promise<void> {
    const { kinds } = this.#setting;
    if (typeof kinds === 'string' || changed.isEmpty || kinds.every((kind) => findings.kinds.has(kind))) return;
    const left = new Set(kinds.filter((kind) => !findings.kinds.has(kind)));
    for await (const { kind, path } of allRepositories(this.#tree, this.#signal)) {
      // What a packument is shows in its bytes; it was passed as one, or is new and was judged.
      if (kind !== 'npm' || (await this.#tree.entry(path))?.kind === FILE) left.delete(kind);
      if (left.size === 0) return;
    }
    for (const kind of left) findings.contradict(absent(kind));
  }

  #missKinds({ findings }: Comparison, found: ReadonlySet<GateKind>): void {
    const { kinds } = this.#setting;
    if (typeof kinds === 'string') return;
    for (const kind of kinds) if (!found.has(kind)) findings.contradict(absent(kind));
  }
}

function absent(kind: GateKind) {
  return { kind, what: 'missing', index: '', path: '', detail: `has no index of the kind ${kind}` } as const;
}

/** Those whose pages have changed, or that may name what went or has other bytes. */
function changedProjects(index: ByteString, changed: ChangedPaths): ReadonlySet<ByteString> {
  const projects = new Set<ByteString>();
  const below = index === '' ? '' : `${index}/`;
  const pages = `${joinBytes(index, SIMPLE)}/`;
  const note = (path: ByteString) => {
    for (const project of projectsOf(index, path)) projects.add(project);
  };
  for (const path of changed.disturbed()) if (path.startsWith(below)) note(path);
  for (const path of changed.arrived) if (path.startsWith(pages)) note(path);
  return projects;
}
