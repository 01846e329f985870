import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type ByteString, DAG_PB } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { sha256 } from '../../dag/cid.ts';
import type { TreeLink } from '../../read/tree/tree.ts';
import { OutLooks } from '../out/out-looks.ts';
import { lookAt } from '../out/places.ts';
import { readEntries, saveEntries } from './entries-file.ts';
import { KnownEntries } from './known-entries.ts';
import { TreeEntries } from './tree-entries.ts';
import { UnchangedEntries } from './unchanged-entries.ts';

let dir: string;
let count = 0;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-unchanged-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

const FILES = ['a', 'd/b', 'd/c', 'd/e/f', 'd-g', 'h/i'];
const DIRECTORIES = ['', 'd', 'd/e', 'h'];
const ALL = [...DIRECTORIES.slice(1), ...FILES];

/** What somebody does to OUT between two runs. */
const HARM: Readonly<Record<string, (at: string) => void>> = {
  nothing: () => {},
  'is touched': (at) => utimesSync(at, 1, 1),
  'is deleted': (at) => rmSync(at, { recursive: true }),
  'gets another mode': (at) => chmodSync(at, 0o711),
  'is moved, and a symlink leads there': (at) => {
    const moved = `${at}.moved-${count++}`;
    renameSync(at, moved);
    symlinkSync(moved, at);
  },
  'is replaced': (at) => {
    const isDirectory = lstatSync(at).isDirectory();
    rmSync(at, { recursive: true });
    if (isDirectory) mkdirSync(at);
    else writeFileSync(at, 'same');
  },
  'gets company': (at) => writeFileSync(lstatSync(at).isDirectory() ? join(at, 'company') : `${at}.company`, ''),
};
const KINDS = Object.keys(HARM);

/** A directory's root says what is in it, as a CID does. */
function rootOf(path: ByteString, versions: ReadonlyMap<ByteString, number>): BlockId {
  const below = ALL.filter((other) => other === path || other.startsWith(`${path}/`));
  return { codec: DAG_PB, digest: sha256(Buffer.from(below.map((other) => `${other} ${versions.get(other) ?? 0}`).join('\n'))) };
}

function linksOf(directory: ByteString, versions: ReadonlyMap<ByteString, number>): TreeLink[] {
  const names = ALL.filter((path) => joinBytes(directory, path.slice(path.lastIndexOf('/') + 1)) === path).map((path) =>
    path.slice(path.lastIndexOf('/') + 1),
  );
  return names.sort().map((name) => ({ name, dagSize: 100, ...rootOf(joinBytes(directory, name), versions) }));
}

const toldOf = (excluded: ByteString | undefined) => Buffer.from(String(excluded)).toString('hex');

/** A copy that a run has noted. @param excluded what that run was told to leave out */
function copy(excluded: ByteString | undefined): { readonly out: string; readonly known: KnownEntries } {
  const out = join(dir, String(count++));
  for (const directory of DIRECTORIES) mkdirSync(join(out, directory));
  for (const file of FILES) if (file !== excluded) writeFileSync(join(out, file), 'same');
  const entries = new TreeEntries(new KnownEntries());
  for (const directory of DIRECTORIES) {
    const links = linksOf(directory, new Map()).filter(({ name }) => joinBytes(directory, name) !== excluded);
    entries.add(
      directory,
      links.map((link) => ({ name: link.name, id: link, look: undefined })),
    );
  }
  const looks = new OutLooks(out);
  const own = join(dir, `own-${count}`);
  mkdirSync(own);
  const { columns, directories } = entries.columns(looks, { from: 0n, to: 0n, lacks: () => false });
  saveEntries(own, 'tree', { filters: toldOf(excluded), specialBits: false }, columns, directories);
  looks.close();
  return { out, known: readEntries(own) };
}

/** Paths that need not come, by the code: it descends where it must, as a run does. */
function unchangedIn(out: string, known: KnownEntries, versions: ReadonlyMap<ByteString, number>): Set<ByteString> {
  const looks = new OutLooks(out);
  const entries = new TreeEntries(known);
  const unchanged = new UnchangedEntries({ looks, known, filters: toldOf(undefined) }, entries);
  const lacking = new Set<ByteString>();
  const left: ByteString[] = [''];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    for (const { path } of unchanged.note(at, linksOf(at, versions), []).values()) {
      lacking.add(path);
      if (DIRECTORIES.includes(path)) left.push(path);
    }
  }
  looks.close();
  return new Set(FILES.filter((path) => !lacking.has(path)));
}

const change = fc.record({ path: fc.constantFrom(...ALL), harm: fc.constantFrom(...KINDS) });

test('what counts as there is what the last run put there and nobody has changed, in directories that are none of others', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 2 }),
      fc.subarray(FILES),
      fc.option(fc.constantFrom(...FILES), { nil: undefined }),
      (changes, newer, excluded) => {
        const { out, known } = copy(excluded);
        const untouched = new Map(FILES.filter((file) => file !== excluded).map((file) => [file, lookAt(join(out, file))]));
        for (const { path, harm } of changes) {
          if (lookAt(join(out, path)) === undefined) continue;
          HARM[harm]?.(join(out, path));
        }
        const versions = new Map(newer.map((file) => [file, 1]));
        const expected = FILES.filter((file) => {
          const [then, now] = [untouched.get(file), lookAt(join(out, file))];
          const way = file.split('/').slice(0, -1);
          const isReached = way.every((_, i) => lookAt(join(out, ...way.slice(0, i + 1)))?.isDirectory());
          return !newer.includes(file) && isReached && then !== undefined && now?.ino === then.ino && now.ctimeNs === then.ctimeNs;
        });
        assert.deepEqual([...unchangedIn(out, known, versions)].sort(), expected.sort());
      },
    ),
    { numRuns: 100 },
  );
});
