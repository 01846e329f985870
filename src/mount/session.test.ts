import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import type { BlockId } from '../core/model.ts';
import { sampled } from '../testing/depth.ts';
import { FakeKernel } from '../testing/fake-kernel.ts';
import { HostileDag } from '../testing/hostile-dag.ts';

const [EINTR, EIO, ENOTDIR, EISDIR, EINVAL, ENOSYS, ESTALE] = [4, 5, 20, 21, 22, 38, 116];

test('what the kernel asks for is answered: names, attributes, listings, content and targets', async () => {
  const dag = new HostileDag();
  const file = dag.raw(Buffer.from('content'));
  const kernel = await FakeKernel.mount(
    dag,
    dag.directory([
      { name: 'directory', id: dag.directory([{ name: 'file', id: file }]) },
      { name: 'file', id: file },
      { name: 'link', id: dag.symlink('directory/file') },
    ]),
  );
  const [entry] = await kernel.lookUp(1, 'file');
  assert.equal(entry.size, 7);
  assert.equal((await kernel.read(entry.node, 3, 100)).toString(), 'tent');
  assert.equal((await kernel.read(entry.node, 7, 100)).length, 0);
  const [directory] = await kernel.lookUp(1, 'directory');
  assert.equal((await kernel.lookUp(directory.node, 'file'))[0].size, 7);
  const [link] = await kernel.lookUp(1, 'link');
  assert.equal((await kernel.ask(5, link.node)).body.toString(), 'directory/file');
  assert.deepEqual(await kernel.list(1), ['.', '..', 'directory', 'file', 'link']);
  assert.equal((await kernel.ask(1, 1, Buffer.from('other\0'))).body.readBigUInt64LE(0), 0n, 'a name that is not there is told, too');
  for (const [opcode, node, error] of [
    [5, entry.node, EINVAL],
    [15, directory.node, EISDIR],
    [44, entry.node, ENOTDIR],
    [22, 1, ENOSYS],
    [3, 4711, ESTALE],
  ] as const)
    assert.equal((await kernel.ask(opcode, node, Buffer.alloc(40))).error, error, `${opcode}`);
  assert.deepEqual(kernel.troubles, []);
});

test('a listing in pages of any size has each entry once, whether with attributes or without', async () => {
  const dag = new HostileDag();
  const names = Array.from({ length: 300 }, (_, at) => `${'n'.repeat(at % 50)}${at}`);
  const file = dag.raw(Buffer.from('x'));
  const kernel = await FakeKernel.mount(dag, dag.directory(names.map((name) => ({ name, id: file }))));
  for (const size of [400, 1000, 4096, 1 << 20])
    for (const plus of [false, true]) assert.deepEqual((await kernel.list(1, { size, plus })).sort(), ['.', '..', ...names].sort());
});

test('what a stranger’s tree may not have is an error for whoever asks for it, and the rest is there', async () => {
  const dag = new HostileDag();
  const good = dag.raw(Buffer.from('good'));
  const liars: Readonly<Record<string, BlockId>> = {
    'a directory with a name that leads out': dag.directory([{ name: '../out', id: good }]),
    'a directory with a name of two parts': dag.directory([{ name: 'a/b', id: good }]),
    'a directory with one name twice': dag.directory([
      { name: 'a', id: good },
      { name: 'a', id: good },
    ]),
    'a HAMT directory whose names are elsewhere': dag.hamt([{ name: '00wrong', id: good }], 256),
  };
  const kernel = await FakeKernel.mount(
    dag,
    dag.directory([
      ...Object.entries(liars).map(([name, id]) => ({ name, id })),
      { name: 'good', id: good },
      { name: 'longer than it is', id: dag.file([good], 100) },
      { name: 'of 2^50 bytes', id: dag.file([good, good], 2 ** 50, [4, 2 ** 50 - 4]) },
      { name: 'shorter than it is', id: dag.file([good], 2) },
      { name: 'a target with a zero', id: dag.symlink('a\0b') },
      { name: 'no target', id: dag.symlink('') },
      { name: 'nowhere', id: dag.absent() },
    ]),
  );
  for (const name of Object.keys(liars)) {
    const [entry] = await kernel.lookUp(1, name);
    assert.equal((await kernel.ask(44, entry.node, kernel.part(0, 4096))).error, EIO, name);
  }
  for (const name of ['longer than it is', 'of 2^50 bytes', 'shorter than it is']) {
    const [entry] = await kernel.lookUp(1, name);
    assert.equal((await kernel.ask(15, entry.node, kernel.part(0, 100))).error, EIO, name);
  }
  for (const name of ['a target with a zero', 'no target']) {
    const [entry] = await kernel.lookUp(1, name);
    assert.equal((await kernel.ask(5, entry.node)).error, EIO, name);
  }
  assert.equal((await kernel.ask(1, 1, Buffer.from('nowhere\0'))).error, EIO);
  assert.equal((await kernel.list(1)).length, 13, 'what cannot be read has its name in the listing');
  const [entry] = await kernel.lookUp(1, 'good');
  assert.equal((await kernel.read(entry.node, 0, 100)).toString(), 'good');
  assert.ok(
    kernel.troubles.some((message) => message.startsWith('"nowhere": ')),
    'trouble is told with its path',
  );
});

test('who stops waiting is answered at once, and what comes later is not', async () => {
  const dag = new HostileDag();
  const kernel = await FakeKernel.mount(dag, dag.directory([{ name: 'file', id: dag.file([dag.raw(Buffer.from('content'))], 7) }]));
  const [entry] = await kernel.lookUp(1, 'file');
  kernel.holdBlocks();
  const asked = kernel.ask(15, entry.node, kernel.part(0, 7));
  kernel.tell(36, 0, kernel.u64(kernel.lastRequest));
  assert.equal((await asked).error, EINTR);
  const before = kernel.replies;
  kernel.releaseBlocks();
  await kernel.settled();
  assert.equal(kernel.replies, before);
});

test('any bytes do no harm, and each request that has a header is answered once, or is one that nobody answers', async () => {
  const dag = new HostileDag();
  const file = dag.raw(Buffer.from('content'));
  const kernel = await FakeKernel.mount(dag, dag.directory([{ name: 'a', id: file }]));
  await kernel.lookUp(1, 'a');
  const silent = new Set([2, 36, 38, 42]);
  const request = fc.record({
    opcode: fc.oneof(fc.constantFrom(1, 3, 5, 14, 15, 17, 18, 22, 26, 27, 28, 29, 36, 42, 44), fc.nat(5000)),
    node: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat(2 ** 40)),
    body: fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.constant(new Uint8Array(Buffer.from('a\0')))),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ opcode, node, body }) => {
      if (silent.has(opcode)) kernel.tell(opcode, node, Buffer.from(body));
      else await kernel.ask(opcode, node, Buffer.from(body));
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(await kernel.list(1), ['.', '..', 'a']);
});

test('the kernel is told of each directory and each name that is other in a new tree, and of nothing else', async () => {
  const dag = new HostileDag();
  const [old, same, next] = ['old', 'same', 'new'].map((text) => dag.raw(Buffer.from(text))) as [BlockId, BlockId, BlockId];
  const quiet = dag.directory([{ name: 'same', id: same }]);
  const before = dag.directory([
    {
      name: 'changed',
      id: dag.directory([
        { name: 'file', id: old },
        { name: 'gone', id: old },
        { name: 'same', id: same },
      ]),
    },
    { name: 'quiet', id: quiet },
  ]);
  const after = dag.directory([
    {
      name: 'changed',
      id: dag.directory([
        { name: 'added', id: next },
        { name: 'file', id: next },
        { name: 'same', id: same },
      ]),
    },
    { name: 'quiet', id: quiet },
  ]);
  const kernel = await FakeKernel.mount(dag, before, { changes: true });
  const [changed] = await kernel.lookUp(1, 'changed');
  await kernel.lookUp(1, 'quiet');
  const [file] = await kernel.lookUp(changed.node, 'file');
  const [kept] = await kernel.lookUp(changed.node, 'same');
  await kernel.lookUp(changed.node, 'gone');
  const handle = (await kernel.ask(27, changed.node)).body.readBigUInt64LE(0);
  await kernel.show(after);
  assert.deepEqual(kernel.stale.sort(), ['1', `${changed.node}`, `${changed.node}/file`, `${changed.node}/gone`].sort());
  const [now] = await kernel.lookUp(changed.node, 'file');
  assert.notEqual(now.node, file.node);
  assert.equal((await kernel.read(now.node, 0, 10)).toString(), 'new');
  assert.equal((await kernel.read(file.node, 0, 10)).toString(), 'old', 'who has it open reads on');
  assert.equal((await kernel.lookUp(changed.node, 'same'))[0].node, kept.node);
  assert.deepEqual(await kernel.list(changed.node, { handle }), ['.', '..', 'file', 'gone', 'same'], 'a listing goes on as it began');
  assert.deepEqual(await kernel.list(changed.node), ['.', '..', 'added', 'file', 'same']);
  assert.equal((await kernel.ask(1, changed.node, Buffer.from('gone\0'))).body.readBigUInt64LE(0), 0n);
});

test('a new tree of which something cannot be read is not shown in part, and is shown when it can be read', async () => {
  const dag = new HostileDag();
  const treeOf = (text: string) => {
    const deep = dag.directory([{ name: 'file', id: dag.raw(Buffer.from(text)) }]);
    return { deep, root: dag.directory([{ name: 'sub', id: dag.directory([{ name: 'deep', id: deep }]) }]) };
  };
  const [before, after] = [treeOf('old'), treeOf('newer')];
  const kernel = await FakeKernel.mount(dag, before.root, { changes: true });
  const [sub] = await kernel.lookUp(1, 'sub');
  const [deep] = await kernel.lookUp(sub.node, 'deep');
  await kernel.lookUp(deep.node, 'file');
  const read = dag.read.bind(dag);
  dag.read = async (digest) => {
    if (Buffer.compare(digest, after.deep.digest) === 0) throw new ShardctlError('TOO_FEW_PEERS', 'it does not answer now');
    return await read(digest);
  };
  await assert.rejects(kernel.show(after.root), { code: 'TOO_FEW_PEERS' });
  assert.deepEqual(kernel.stale, []);
  dag.read = read;
  await kernel.show(after.root);
  assert.deepEqual(kernel.stale, ['1', `${sub.node}`, `${deep.node}`, `${deep.node}/file`]);
  assert.equal((await kernel.lookUp(deep.node, 'file'))[0].size, 5);
});

test('however many look-ups there are, they leave no more behind than the bound: the kernel is asked to forget, and what it forgets is gone', async () => {
  const dag = new HostileDag();
  const file = dag.raw(Buffer.from('x'));
  const names = Array.from({ length: 2000 }, (_, at) => `${at}`);
  const most = 500;
  const kernel = await FakeKernel.mount(dag, dag.directory(names.map((name) => ({ name, id: file }))), { mostInodes: most });
  const nodes = new Map<string, number>();
  for (let round = 0; round < sampled(2, 50); round++) {
    for (const name of names) {
      nodes.set(name, (await kernel.lookUp(1, name))[0].node);
      for (const stale of kernel.stale.splice(0)) {
        const node = nodes.get(stale.split('/')[1] ?? '');
        if (node !== undefined) kernel.tell(2, node, kernel.u64(1));
      }
      assert.ok(kernel.inodes <= most + 2, `${kernel.inodes}`);
    }
  }
});

test('of any number who ask at once a few are worked for, the others wait their turn, and who gives up meanwhile costs nothing', async () => {
  let [underWay, most] = [0, 0];
  class SlowDag extends HostileDag {
    override async read(digest: Uint8Array): Promise<Uint8Array> {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return await super.read(digest);
    }
  }
  const dag = new SlowDag();
  const kernel = await FakeKernel.mount(dag, dag.directory([{ name: 'link', id: dag.symlink('target') }]));
  const [link] = await kernel.lookUp(1, 'link');
  const before = dag.reads;
  const asked = Array.from({ length: 1000 }, () => kernel.ask(5, link.node));
  const given = 900;
  const last = kernel.lastRequest;
  for (let at = 0; at < given; at++) kernel.tell(36, 0, kernel.u64(last - 2 * at));
  const answers = await Promise.all(asked);
  assert.equal(answers.filter(({ error }) => error === EINTR).length, given);
  assert.ok(answers.every(({ error, body }) => error === EINTR || body.toString() === 'target'));
  assert.equal(dag.reads - before, 1000 - given);
  assert.ok(most <= 64, `${most}`);
});
