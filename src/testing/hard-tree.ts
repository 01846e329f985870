/** For tests: a tree with everything that is hard to store and to restore, and what two trees are compared by. */
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadLibc } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';

/** A tree with everything that is hard to restore. @returns `root` */
export async function writeHardTree(root: string): Promise<string> {
  const libc = await loadLibc();
  assert.ok(libc, 'nanoseconds cannot be tested without koffi');
  const setMtime = (path: string | Buffer, ns: bigint) => assert.equal(libc.setMtime(Buffer.from(path as string), ns), 0);
  const raw = (name: string) => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
  mkdirSync(join(root, 'empty'), { recursive: true });
  mkdirSync(join(root, 'deep/er/and/deeper'), { recursive: true });
  mkdirSync(join(root, 'many'));
  for (let i = 0; i < 1300; i++) writeFileSync(join(root, 'many', `${i}-${'n'.repeat(200)}`), `${i}`);
  const files = [
    'plain',
    '.hidden',
    '-rf',
    'with space',
    'new\nline',
    'tab\tand\\',
    'emoji \u{1F600}',
    'n\u00e9',
    'ne\u0301',
    'deep/er/and/deeper/x',
  ];
  for (const name of files) writeFileSync(join(root, name), name);
  writeFileSync(raw('gro\xdf'), 'latin1 name');
  writeFileSync(join(root, 'x'.repeat(255)), '');
  writeFileSync(join(root, 'large'), Buffer.alloc(2_500_000, 'pattern'));
  symlinkSync('plain', join(root, 'link'));
  symlinkSync('/no/such/place', join(root, 'absolute'));
  symlinkSync('.', join(root, 'loop'));
  symlinkSync(Buffer.from('gro\xdf', 'latin1'), join(root, 'odd target'));
  const modes = { plain: 0o4755, '.hidden': 0o000, '-rf': 0o644, 'with space': 0o2750, empty: 0o1777, 'deep/er': 0o555 };
  const times = {
    plain: 1n,
    '.hidden': -1n,
    '-rf': -1_000_000_000n,
    'with space': 1_234_567_890_123_456_789n,
    'new\nline': 0n,
    'tab\tand\\': 999_999_999n,
    link: 1_000_000_000_000_000_001n,
    empty: 4_102_444_800_987_654_321n,
    many: 1_500_000_000_000_000_007n,
  };
  for (const [path, mode] of Object.entries(modes)) chmodSync(join(root, path), mode);
  for (const [path, ns] of Object.entries(times)) setMtime(join(root, path), ns);
  return root;
}

/**
 * All that a tree is stored with, by path as bytes: kind, content or target, mode, and mtime in nanoseconds.
 * @param without names of entries of the root that are left out
 */
export function treeState(root: string, metadata = true, without: readonly string[] = []): Map<string, unknown> {
  const state = new Map<string, unknown>();
  const visit = (path: ByteString) => {
    const file = Buffer.concat([Buffer.from(root), Buffer.from(path, 'latin1')]);
    const stat = lstatSync(file, { bigint: true });
    const kept = metadata ? [stat.isSymbolicLink() ? undefined : Number(stat.mode) & 0o7777, stat.mtimeNs] : [];
    if (stat.isSymbolicLink()) state.set(path, ['symlink', readlinkSync(file, 'latin1'), ...kept]);
    else if (stat.isFile()) state.set(path, ['file', readFileSync(file).toString('latin1'), ...kept]);
    else {
      state.set(path, ['directory', ...kept]);
      for (const name of readdirSync(file, 'latin1').sort()) if (path !== '' || !without.includes(name)) visit(`${path}/${name}`);
    }
  };
  visit('');
  return state;
}
