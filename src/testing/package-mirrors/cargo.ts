/** A registry of crates with a sparse index: `index/` and `crates/`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, made, put } from './files.ts';

export interface CargoOptions {
  /** Where the mirror is served: the index names the crates by whole URLs. */
  readonly url: string;
  /** It is for those only who have a token: cargo sends it when the index says so. */
  readonly isPrivate?: boolean;
}

export class CargoMirror {
  readonly dir: string;
  readonly #scratch: string;

  constructor(dir: string, scratch: string, { url, isPrivate = false }: CargoOptions) {
    this.dir = dir;
    this.#scratch = scratch;
    const config = {
      dl: `${url.replace(/\/$/, '')}/crates/{crate}/{crate}-{version}.crate`,
      ...(isPrivate ? { 'auth-required': true } : {}),
    };
    put(join(dir, 'index/config.json'), JSON.stringify(config));
  }

  /** `hello`, which needs `hello-data` of the same version. Versions before stay. */
  publish(version: string): void {
    this.#crate('hello-data', version, [], `pub const TEXT: &str = "hello ${version}";\n`);
    this.#crate('hello', version, ['hello-data'], 'pub use hello_data::TEXT;\n');
  }

  #crate(name: string, version: string, needs: readonly string[], code: string): void {
    const root = join(this.#scratch, 'crate');
    const top = `${name}-${version}`;
    const needed = needs.map((need) => `${need} = "=${version}"\n`).join('');
    put(
      join(root, top, 'Cargo.toml'),
      `[package]\nname = "${name}"\nversion = "${version}"\nedition = "2021"\n\n[dependencies]\n${needed}`,
    );
    put(join(root, top, 'src/lib.rs'), code);
    const bytes = made('tar', ['--create', '--gzip', '--directory', root, top]);
    put(join(this.dir, 'crates', name, `${top}.crate`), bytes);
    const deps = needs.map((need) => ({
      name: need,
      req: `=${version}`,
      features: [],
      optional: false,
      default_features: true,
      target: null,
      kind: 'normal',
    }));
    const line = JSON.stringify({ name, vers: version, deps, cksum: digestOf('sha256', bytes), features: {}, yanked: false });
    const index = join(this.dir, 'index', name.slice(0, 2), name.slice(2, 4), name);
    put(index, `${this.#linesOf(index)}${line}\n`);
  }

  #linesOf(index: string): string {
    try {
      return readFileSync(index, 'utf8');
    } catch {
      return '';
    }
  }
}
