/** A signed Debian archive, made by Debian's own tools, whose packages change, go, and move. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Random } from '../campaign/random.ts';
import { digestOf, made, put } from '../package-mirrors/files.ts';
import type { Signer } from '../package-mirrors/signer.ts';
import { FEWEST, type Upstream } from './upstreams.ts';

const SUITE = 'dists/stable';
const BINARY = 'main/binary-amd64';

export class DebianArchive implements Upstream {
  readonly name = 'debian';
  readonly indexes = ['--include=/dists/***', '--exclude=*'];
  readonly dir: string;
  readonly #scratch: string;
  readonly #signer: Signer;
  /** Where each package lies now. */
  readonly #debs = new Map<string, string>();
  #made = 0;

  /** @param scratch a directory beside it */
  constructor(dir: string, scratch: string, signer: Signer) {
    this.dir = dir;
    this.#scratch = scratch;
    this.#signer = signer;
    mkdirSync(join(dir, SUITE, BINARY), { recursive: true });
  }

  change(random: Random): void {
    const names = [...this.#debs.keys()];
    if (names.length < FEWEST) for (let i = names.length; i < FEWEST; i++) this.#upload(`pkg${i}`, random);
    else this.#upload(random.chance(0.7) ? random.pick(names) : `pkg${this.#made}`, random);
    if (names.length > FEWEST + 2) this.#remove(random.pick(names));
    if (names.length > 0 && random.chance(0.3)) this.#move(random.pick([...this.#debs.keys()]), random);
    this.#index();
  }

  /** A new version takes the place of the one before. */
  #upload(name: string, random: Random): void {
    const version = `1.${this.#made++}`;
    const root = join(this.#scratch, 'deb');
    put(
      join(root, 'DEBIAN/control'),
      `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: Test <test@example.org>\nDescription: a package of a test\n`,
    );
    writeFileSync(join(root, 'content'), random.bytes(random.mostlySmall(500, 60_000)));
    const path = `pool/main/p/${name}/${name}_${version}_amd64.deb`;
    mkdirSync(dirname(join(this.dir, path)), { recursive: true });
    made('dpkg-deb', ['--root-owner-group', '-Znone', '--build', root, join(this.dir, path)]);
    rmSync(root, { recursive: true });
    this.#remove(name);
    this.#debs.set(name, path);
  }

  #remove(name: string): void {
    const path = this.#debs.get(name);
    if (path !== undefined) rmSync(join(this.dir, path));
    this.#debs.delete(name);
  }

  /** To another section, as packages move between main and contrib. */
  #move(name: string, random: Random): void {
    const path = this.#debs.get(name) as string;
    const to = path.replace(/^pool\/main\/[a-z]\//, `pool/main/${random.pick(['a', 'b', 'c'])}/`);
    mkdirSync(dirname(join(this.dir, to)), { recursive: true });
    renameSync(join(this.dir, path), join(this.dir, to));
    this.#debs.set(name, to);
  }

  #index(): void {
    const inArchive = (command: string) => made('/bin/sh', ['-c', 'cd "$1" && eval "$2"', 'sh', this.dir, command]);
    const suite = join(this.dir, SUITE);
    const packages = inArchive('apt-ftparchive packages pool');
    rmSync(join(suite, BINARY, 'by-hash'), { recursive: true, force: true });
    for (const [name, content] of [
      ['Packages', packages],
      ['Packages.gz', gzipSync(packages)],
    ] as const) {
      put(join(suite, BINARY, name), content);
      put(join(suite, BINARY, 'by-hash/SHA256', digestOf('sha256', content)), content);
    }
    for (const name of ['Release', 'InRelease']) rmSync(join(suite, name), { force: true });
    const options = '-o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Acquire-By-Hash=yes';
    const release = inArchive(`apt-ftparchive ${options} release ${SUITE}`);
    put(join(suite, 'Release'), release);
    put(join(suite, 'InRelease'), this.#signer.clearsign(readFileSync(join(suite, 'Release'), 'utf8')));
  }
}
