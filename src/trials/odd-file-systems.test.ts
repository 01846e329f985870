import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { oneIn } from '../testing/depth.ts';
import { FaultMount, withoutFuse } from '../testing/fault-mount/fault-mount.ts';
import { type Faults, LINUX_ERRNO } from '../testing/fault-mount/faults.ts';
import { Program } from '../testing/program.ts';
import { writeTree } from '../testing/tree.ts';

const sample = oneIn(8);

const { EINVAL, EOPNOTSUPP, EPERM, EDQUOT } = LINUX_ERRNO;

describe('an odd file system', { skip: withoutFuse() }, () => {
  let mount: FaultMount;
  let program: Program;
  let source: string;
  let n = 0;

  before(async () => {
    mount = await FaultMount.start();
  });
  after(() => mount.dispose());
  beforeEach(async () => {
    await mount.set({});
    // Each with a place of its own on the mount.
    const { home, peer } = places();
    program = new Program({ SHARDCTL_HOME: home });
    source = writeTree(program.path('src'), { a: 'a', sub: { b: Buffer.alloc(300_000, 7) } });
    program.succeeds('peers', 'add', 'local', peer, '--name', 'p');
  });
  afterEach(() => {
    n++;
    program.dispose();
  });

  function places(): { home: string; peer: string; out: string } {
    return { home: join(mount.dir, `home-${n}`), peer: join(mount.dir, `peer-${n}`), out: join(mount.dir, `out-${n}`) };
  }

  /** A home's whole life, once. */
  function live(): void {
    program.succeeds('add', source);
    writeFileSync(join(source, 'c'), 'c');
    program.succeeds('update');
    program.succeeds('verify', '--read-data');
    program.succeeds('forget', 'src', '--keep-last', '1');
    program.succeeds('prune');
    program.succeeds('get', 'src', '-o', places().out);
    assert.equal(readFileSync(join(places().out, 'sub/b')).length, 300_000);
  }

  for (const openFiles of ['fuse_hidden', 'nfs', 'refused'] as const) {
    it(`may keep what is removed while it is open (${openFiles}): home and peer live with it, and nothing is left`, {
      skip: sample(),
    }, async () => {
      await mount.set({ openFiles });
      live();
      const left = readdirSync(mount.below, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(fuse_hidden|nfs)/.test(path));
      assert.deepEqual(left, []);
    });
  }

  it('may have no fsync of directories, no modes, no times and no copies inside the kernel', { skip: sample() }, async () => {
    const refused: Faults['refuse'] = [
      { on: ['fsyncdir'], errno: EINVAL },
      { on: ['chmod', 'chown', 'utimens', 'link'], errno: EPERM },
      { on: ['copy_file_range'], errno: EINVAL },
    ];
    await mount.set({ refuse: refused });
    live();
  });

  it('may refuse what it likes to refuse: from a home elsewhere a peer there is filled by bytes', { skip: sample() }, async () => {
    const local = new Program();
    try {
      for (const [i, errno] of [EINVAL, EPERM, EOPNOTSUPP].entries()) {
        await mount.set({ refuse: [{ on: ['copy_file_range', 'chmod'], errno }] });
        writeTree(local.path('src'), { new: `${errno}` });
        local.succeeds('peers', 'add', 'local', join(mount.dir, `elsewhere-${n}-${i}`), '--name', `p${i}`);
        local.succeeds('add', local.path('src'), '--replication', String(i + 1));
      }
      local.succeeds('verify', '--read-data');
    } finally {
      local.dispose();
    }
  });

  it('without shared mmap is refused for a home, in words that help, and taken for a peer', { skip: sample() }, async () => {
    await mount.set({ directIo: true });
    program.fails(2, /cannot be mapped.*--home/, 'add', source);
    program.succeeds('--home', program.path('local'), 'peers', 'add', 'local', join(mount.dir, `peer-${n}`), '--name', 'p');
    program.succeeds('--home', program.path('local'), 'add', source);
  });

  it('with a quota is full when the quota is, whatever was being written', { skip: sample() }, async () => {
    program.succeeds('add', source);
    const where = ['spool/', 'index/blocks/', 'index/entries/', 'index/tables/', 'index/pending/', 'heads/'];
    for (const [i, place] of where.entries()) {
      writeFileSync(join(source, 'c'), `c${i}`);
      for (const on of ['write', 'create'] as const) {
        await mount.set({ refuse: [{ on: [on], path: new RegExp(place), errno: EDQUOT }] });
        const { code, stderr } = program.run('update');
        // What is there already is not created anew.
        if (code !== 0 || on === 'write') assert.equal(code, 43, `${on} ${place}: ${stderr}`);
      }
      await mount.set({});
      program.succeeds('update');
    }
    await mount.set({ refuse: [{ on: ['write'], path: /out-/, errno: EDQUOT }] });
    program.ends(43, 'get', 'src', '-o', places().out);
  });
});
