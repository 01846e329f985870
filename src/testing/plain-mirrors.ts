/**
 * For tests of the gate: small mirrors of each kind as plain maps, and what their indexes claim, which is known from writing them and need
 * not be parsed. `contradictions` is the obvious slow model of a judge.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { GateKind } from '../core/verdict.ts';
import type { Content, PlainTree } from './judged-tree.ts';

interface Written {
  readonly path: string;
  readonly bytes: Buffer;
  readonly hasSize: boolean;
}

/** What an index of a role (`top` is the first that is read, `list` one that it names) with these very bytes claims: files of these very bytes. */
export type KnownIndexes = Map<string, readonly Written[]>;

export interface PlainMirror {
  readonly kind: GateKind;
  readonly files: PlainTree;
}

/** Versions of packages by their names; another number is another content. */
export type Versions = Readonly<Record<string, number>>;

export const NAMES = ['a', 'b', 'lib-c', 'd'] as const;

export const versions: fc.Arbitrary<Versions> = fc
  .record(Object.fromEntries(NAMES.map((name) => [name, fc.integer({ min: 0, max: 2 })])))
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, version]) => version > 0)));

export const builders: Readonly<Record<GateKind, (packages: Versions, known: KnownIndexes) => PlainMirror>> = { debian, rpm, npm, pypi };

/** Long ones, which have several leaves where a leaf has 1,000 bytes, and short ones; all versions of one are equally long. */
function contentOf(name: string, version: number): Buffer {
  return Buffer.from(`${name} ${version} `.repeat(name === 'b' ? 400 : 4));
}

function debian(packages: Versions, known: KnownIndexes): PlainMirror {
  const files = new Map<string, Content>();
  const inRelease: string[] = [];
  const claimed: Written[] = [];
  for (const [architecture, isListed] of [
    ['amd64', () => true],
    ['arm64', (name: string) => name !== 'a'],
  ] as const) {
    const entries = Object.entries(packages).filter(([name]) => isListed(name));
    const debs = entries.map(([name, version]) => written(`pool/${name}/${name}_${version}.deb`, contentOf(name, version)));
    const text = debs.map(
      ({ path, bytes }) => `Package: x\nFilename: ${path}\nSize: ${bytes.length}\nSHA256: ${hexOf(bytes)}\nDescription: y\n z\n`,
    );
    const plain = Buffer.from(text.join('\n'));
    for (const [name, bytes] of [
      ['Packages', plain],
      ['Packages.gz', gzipSync(plain)],
    ] as const) {
      const path = `main/binary-${architecture}/${name}`;
      known.set(`list ${hexOf(bytes)}`, debs);
      inRelease.push(` ${hexOf(bytes)} ${bytes.length} ${path}`);
      claimed.push(written(`dists/stable/${path}`, bytes));
      if (name === 'Packages' && architecture === 'amd64') continue;
      files.set(`dists/stable/${path}`, bytes);
      files.set(`dists/stable/main/binary-${architecture}/by-hash/SHA256/${hexOf(bytes)}`, bytes);
    }
    for (const { path, bytes } of debs) files.set(path, bytes);
  }
  const release = Buffer.from(`Suite: stable\nSHA256:\n${inRelease.join('\n')}\n`);
  known.set(`top ${hexOf(release)}`, claimed);
  files.set('dists/stable/InRelease', release);
  return { kind: 'debian', files };
}

function rpm(packages: Versions, known: KnownIndexes): PlainMirror {
  const files = new Map<string, Content>();
  const rpms = Object.entries(packages).map(([name, version]) => written(`r/Packages/${name}-${version}.rpm`, contentOf(name, version)));
  const items = rpms.map(
    ({ path, bytes }) =>
      `<package type="rpm"><name>x</name><checksum type="sha256" pkgid="YES">${hexOf(bytes)}</checksum><size package="${bytes.length}" installed="1"/><location href="${path.slice(2)}"/></package>`,
  );
  const primary = gzipSync(Buffer.from(`<?xml version="1.0"?>\n<metadata packages="${rpms.length}">${items.join('\n')}</metadata>\n`));
  known.set(`list ${hexOf(primary)}`, rpms);
  const named = written(`r/repodata/${hexOf(primary)}-primary.xml.gz`, primary);
  const repomd = Buffer.from(
    `<repomd><revision>1</revision><data type="primary"><checksum type="sha256">${hexOf(primary)}</checksum><location href="${named.path.slice(2)}"/><size>${primary.length}</size></data></repomd>\n`,
  );
  known.set(`top ${hexOf(repomd)}`, [named]);
  for (const { path, bytes } of [...rpms, named]) files.set(path, bytes);
  files.set('r/repodata/repomd.xml', repomd);
  return { kind: 'rpm', files };
}

function npm(packages: Versions, known: KnownIndexes): PlainMirror {
  const files = new Map<string, Content>();
  for (const [name, newest] of Object.entries(packages)) {
    const tarballs = Array.from({ length: newest }, (_, i) => written(`@s/${name}/-/${name}-${i + 1}.tgz`, contentOf(name, i + 1), false));
    const list = tarballs.map(({ path, bytes }, i) => {
      const tarball = `https://m.example/npm/${path}`;
      const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
      return [`${i + 1}.0.0`, { dist: { tarball, integrity } }];
    });
    const packument = { name: `@s/${name}`, 'dist-tags': { latest: `${newest}.0.0` }, versions: Object.fromEntries(list) };
    const bytes = Buffer.from(JSON.stringify(packument));
    known.set(`@s/${name} ${hexOf(bytes)}`, tarballs);
    files.set(`@s/${name}/index.json`, bytes);
    for (const tarball of tarballs) files.set(tarball.path, tarball.bytes);
  }
  return { kind: 'npm', files };
}

function pypi(packages: Versions, known: KnownIndexes): PlainMirror {
  const files = new Map<string, Content>();
  for (const [name, newest] of Object.entries(packages)) {
    const wheels = Array.from({ length: newest }, (_, i) => {
      const bytes = contentOf(name, i + 1);
      return written(`packages/${hexOf(bytes).slice(0, 2)}/${name.replace('-', '_')}-${i + 1}-py3-none-any.whl`, bytes, false);
    });
    const links = wheels.map(({ path, bytes }) => `<a href="../../${path}#sha256=${hexOf(bytes)}">x</a><br/>`);
    const page = Buffer.from(`<!DOCTYPE html><html><body><h1>${name}</h1>${links.join('\n')}</body></html>`);
    known.set(`top ${hexOf(page)}`, wheels);
    files.set(`simple/${name}/index.html`, page);
    for (const wheel of wheels) files.set(wheel.path, wheel.bytes);
  }
  return { kind: 'pypi', files };
}

/**
 * What contradicts what, as `WHAT INDEX PATH`, sorted: by looking at everything.
 * @param listed given `INDEX PATH` for each file that an index of packages names
 * @param before trees before this one: an index that no other names and that is none is told of if it was one in one of them; `any`: always
 */
export function contradictions(
  { kind, files }: PlainMirror,
  known: KnownIndexes,
  before: readonly PlainTree[] | 'any',
  listed?: Set<string>,
): readonly string[] {
  const found = new Set<string>();
  const bytesAt = (path: string) => files.get(path) as Buffer | undefined;
  const claimsIn = (tree: PlainTree, path: string, role: string) => {
    const bytes = tree.get(path) as Buffer | undefined;
    return bytes && known.get(`${role} ${hexOf(bytes)}`);
  };
  const wasOne = (path: string, role: string) => before === 'any' || before.some((tree) => claimsIn(tree, path, role) !== undefined);
  const claimsAt = (path: string, role: string) => {
    const bytes = bytesAt(path);
    const claims = claimsIn(files, path, role);
    const isBesideTarballs = [...files.keys()].some((file) => file.startsWith(`${role}/-/`) && file.endsWith('.tgz'));
    const isIndex = role === 'list' || wasOne(path, role) || (kind === 'npm' && isBesideTarballs);
    if (bytes !== undefined && claims === undefined && isIndex) found.add(`unreadable ${path} ${path}`);
    return claims ?? [];
  };
  const compare = (index: string, { path, bytes, hasSize }: Written, isNeeded = true) => {
    const there = bytesAt(path);
    if (there === undefined) {
      if (isNeeded) found.add(`missing ${index} ${path}`);
      return false;
    }
    if (hasSize && there.length !== bytes.length) found.add(`size ${index} ${path}`);
    else if (!there.equals(bytes)) found.add(`hash ${index} ${path}`);
    else return true;
    return false;
  };
  const compareAll = (index: string, role: string) => {
    for (const claim of claimsAt(index, role)) {
      listed?.add(`${index} ${claim.path}`);
      compare(index, claim);
    }
  };
  if (kind === 'npm') for (const path of files.keys()) if (path.endsWith('/index.json')) compareAll(path, path.replace('/index.json', ''));
  if (kind === 'pypi') for (const path of files.keys()) if (/^simple\/[^/]+\/index\.html$/.test(path)) compareAll(path, 'top');
  if (kind === 'rpm')
    for (const data of claimsAt('r/repodata/repomd.xml', 'top')) if (compare('r/repodata/repomd.xml', data)) compareAll(data.path, 'list');
  if (kind === 'debian') debianContradictions();
  return [...found].sort();

  function debianContradictions(): void {
    const top = 'dists/stable/InRelease';
    if (!files.has(top)) {
      const hasIndexes = [...files.keys()].some((path) => path.startsWith('dists/stable/main/'));
      if (hasIndexes && wasOne(top, 'top')) found.add('missing dists/stable/Release dists/stable/Release');
      return;
    }
    const claims = claimsAt(top, 'top');
    for (const architecture of ['amd64', 'arm64']) {
      const directory = `dists/stable/main/binary-${architecture}`;
      const here = claims.filter(({ path }) => path.startsWith(`${directory}/`));
      const isThere = (path: string) => files.has(path);
      const intact: string[] = [];
      let isBad = false;
      for (const claim of here) {
        for (const path of [claim.path, `${directory}/by-hash/SHA256/${hexOf(claim.bytes)}`]) {
          if (!isThere(path)) continue;
          if (compare(top, { ...claim, path })) intact.push(path);
          else isBad = true;
        }
      }
      const packings = here.flatMap((claim) => intact.filter((path) => bytesAt(path)?.equals(claim.bytes)));
      if (packings[0] !== undefined) compareAll(packings[0], 'list');
      else if (!isBad && here.some(({ path }) => isThere(path))) found.add(`missing ${top} ${directory}/Packages`);
    }
  }
}

function written(path: string, bytes: Buffer, hasSize = true): Written {
  return { path, bytes, hasSize };
}

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
