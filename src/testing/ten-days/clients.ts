/** What apt, npm and pip make sure of, from the first index to the last package. Each gives what it would complain of. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { digestOf } from '../package-mirrors/files.ts';

/** The bytes at a path of the mirror; undefined for a 404. */
export type Get = (path: string) => Promise<Buffer | undefined>;

/** @param get from the root of the mirror @returns complaints, and how many packages have been read */
export type Client = (get: Get) => Promise<{ readonly complaints: readonly string[]; readonly packages: number }>;

/** @param keyring that `InRelease` has to be signed by */
export function apt(keyring: string): Client {
  const signed = new Set<string>();
  return checking(async (get, complain) => {
    const inRelease = await get('dists/stable/InRelease');
    const text = `${inRelease}`;
    if (inRelease === undefined) {
      complain('no InRelease');
      return 0;
    }
    if (!signed.has(text)) {
      const { status, stderr } = spawnSync('gpgv', ['--keyring', keyring], { input: inRelease });
      if (status !== 0) complain(`InRelease is not signed: ${stderr}`);
      signed.add(text);
    }
    const sha256 = text.slice(text.indexOf('\nSHA256:'));
    const [, hash = '', size] = /^ ([0-9a-f]{64})\s+(\d+) main\/binary-amd64\/Packages\.gz$/m.exec(sha256) ?? [];
    const suite = 'dists/stable/main/binary-amd64';
    const index = await get(join(suite, 'by-hash/SHA256', hash));
    for (const path of [join(suite, 'by-hash/SHA256', hash), join(suite, 'Packages.gz')]) {
      const bytes = await get(path);
      if (bytes === undefined || digestOf('sha256', bytes) !== hash || bytes.length !== Number(size))
        complain(`Hash Sum mismatch: ${path}`);
    }
    const stanzas = `${index === undefined ? '' : gunzipSync(index)}`.split('\n\n').filter((stanza) => stanza.includes('Package:'));
    for (const stanza of stanzas) {
      const [path = '', wanted, length] = ['Filename', 'SHA256', 'Size'].map((key) => new RegExp(`^${key}: (.*)$`, 'm').exec(stanza)?.[1]);
      const deb = await get(path);
      if (deb === undefined) complain(`404: ${path}`);
      else if (digestOf('sha256', deb) !== wanted || deb.length !== Number(length)) complain(`Hash Sum mismatch: ${path}`);
    }
    return stanzas.length;
  });
}

/** @param paths that the mirror has, by which the names are known that somebody may ask for */
export function npm(paths: () => readonly string[]): Client {
  return checking(async (get, complain) => {
    let packages = 0;
    for (const name of paths().flatMap((path) => /^([^/]+)\/index\.json$/.exec(path)?.[1] ?? [])) {
      const packument = await get(`${name}/index.json`);
      if (packument === undefined) {
        complain(`E404: ${name}`);
        continue;
      }
      const { versions } = JSON.parse(`${packument}`) as { versions: Record<string, { dist: { tarball: string; integrity: string } }> };
      for (const { dist } of Object.values(versions)) {
        const tarball = await get(new URL(dist.tarball).pathname.slice(1));
        packages++;
        if (tarball === undefined) complain(`E404: ${dist.tarball}`);
        else if (dist.integrity !== `sha512-${digestOf('sha512', tarball, 'base64')}`) complain(`EINTEGRITY: ${dist.tarball}`);
      }
    }
    return packages;
  });
}

export const pip: Client = checking(async (get, complain) => {
  const links = async (page: string) => {
    const bytes = await get(page);
    if (bytes === undefined) complain(`404: ${page}`);
    return [...`${bytes ?? ''}`.matchAll(/<a href="([^"]+)"/g)].map(([, href = '']) => new URL(href, `http://mirror/${page}`));
  };
  let packages = 0;
  for (const project of await links('simple/index.html')) {
    for (const { pathname, hash } of await links(`${project.pathname.slice(1)}index.html`)) {
      const wheel = await get(pathname.slice(1));
      packages++;
      if (wheel === undefined) complain(`404: ${pathname}`);
      else if (hash !== `#sha256=${digestOf('sha256', wheel)}`) complain(`THESE PACKAGES DO NOT MATCH THE HASHES: ${pathname}`);
    }
  }
  return packages;
});

function checking(check: (get: Get, complain: (text: string) => void) => Promise<number>): Client {
  return async (get) => {
    const complaints: string[] = [];
    const packages = await check(get, (text) => complaints.push(text));
    return { complaints, packages };
  };
}
