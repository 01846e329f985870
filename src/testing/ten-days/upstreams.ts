/** Mirrors of packages that change: what a seed says, packages come in new versions, go, and get other names. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../campaign/random.ts';
import { NpmMirror } from '../package-mirrors/npm.ts';
import { PythonMirror } from '../package-mirrors/python.ts';

/** So many packages that those which go in some hours without an update are far from a half of all. */
export const FEWEST = 20;

export interface Upstream {
  /** Of the mirror, and of its repository. */
  readonly name: string;
  readonly dir: string;
  /** Options of rsync by which a sync copies the indexes alone. */
  readonly indexes: readonly string[];
  /** It is whole before and after. The first change fills it. */
  change(random: Random): void;
}

/** Names with their newest versions, of a registry that keeps the versions before. */
class Versions {
  readonly #newest = new Map<string, number>();
  #named = 0;

  /** @returns what is to be published, and what is to go */
  next(random: Random): { readonly published: readonly (readonly [name: string, version: string])[]; readonly gone: string | undefined } {
    const names = [...this.#newest.keys()];
    const grown =
      names.length < 6 ? Array.from({ length: 6 }, () => this.#fresh()) : [random.chance(0.6) ? random.pick(names) : this.#fresh()];
    const published = grown.map((name) => {
      const version = (this.#newest.get(name) ?? 0) + 1;
      this.#newest.set(name, version);
      return [name, `1.${version}.0`] as const;
    });
    const gone = names.length > FEWEST + 2 ? random.pick(names.filter((name) => !grown.includes(name))) : undefined;
    if (gone !== undefined) this.#newest.delete(gone);
    return { published, gone };
  }

  /** One whose packages are to be known by another name. */
  rename(random: Random): readonly [from: string, to: string] {
    const from = random.pick([...this.#newest.keys()]);
    const to = this.#fresh();
    this.#newest.set(to, this.#newest.get(from) as number);
    this.#newest.delete(from);
    return [from, to];
  }

  #fresh(): string {
    return `lib-${this.#named++}`;
  }
}

export class NpmRegistry implements Upstream {
  readonly name = 'npm';
  readonly indexes = ['--include=*/', '--include=index.json', '--exclude=*'];
  readonly dir: string;
  readonly #mirror: NpmMirror;
  readonly #versions = new Versions();

  constructor(dir: string, scratch: string) {
    this.dir = dir;
    this.#mirror = new NpmMirror(dir, scratch, 'https://registry.example.org');
  }

  change(random: Random): void {
    const { published, gone } = this.#versions.next(random);
    for (const [name, version] of published) this.#mirror.package(name, version, {}, codeOf(random));
    if (gone !== undefined) rmSync(join(this.dir, gone), { recursive: true });
    if (random.chance(0.2)) {
      // A package is its name: with another one it is published anew.
      const [from, to] = this.#versions.rename(random);
      this.#mirror.package(to, '1.0.0', {}, codeOf(random));
      rmSync(join(this.dir, from), { recursive: true });
    }
  }
}

export class PythonIndex implements Upstream {
  readonly name = 'pypi';
  readonly indexes = ['--include=/simple/***', '--exclude=*'];
  readonly dir: string;
  readonly #mirror: PythonMirror;
  readonly #versions = new Versions();

  constructor(dir: string) {
    this.dir = dir;
    this.#mirror = new PythonMirror(dir);
  }

  change(random: Random): void {
    const { published, gone } = this.#versions.next(random);
    for (const [name, version] of published) this.#mirror.project(name, version, [], `TEXT = '''${codeOf(random)}'''\n`);
    if (gone !== undefined) for (const part of ['simple', 'packages']) rmSync(join(this.dir, part, gone), { recursive: true });
    if (random.chance(0.2)) {
      const [from, to] = this.#versions.rename(random);
      renameSync(join(this.dir, 'packages', from), join(this.dir, 'packages', to));
      rmSync(join(this.dir, 'simple', from), { recursive: true });
      this.#mirror.page(to);
    }
    this.#mirror.list(readdirSync(join(this.dir, 'packages')));
  }
}

function codeOf(random: Random): string {
  return random.bytes(random.mostlySmall(100, 20_000)).toString('base64');
}
