import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FILE, RAW, type SnapshotRecord } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { hashesEach } from '../../testing/hashes-each.ts';
import type { MirrorView } from '../mirror.ts';
import { HotAnswers } from './hot-answers.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-hot-'));
after(() => rmSync(dir, { recursive: true }));

const hex = (digest: Uint8Array) => Buffer.from(digest).toString('hex');
const headOf = (number: number) => ({ number, cid: `cid${number}`, repository: 'r' }) as unknown as SnapshotRecord;

/** A mirror of one repository whose blocks are read at once, unless they are gone. */
class OneMirror {
  head: SnapshotRecord | undefined = headOf(1);
  isPrivate = false;
  isBehind = false;
  readonly blocks = new Map<string, { readonly at: number; readonly length: number }>();
  readonly path = join(dir, 'car');
  #end = 0;
  readonly #fd = openSync(this.path, 'w+');
  readonly #file = { fd: this.#fd, isOpen: true, ...hashesEach };

  get newest(): MirrorView {
    const { head } = this;
    const repositories = new Map(head === undefined ? [] : [['r', { name: 'r', head, snapshots: [head] }]]);
    const extentNow = (digest: Uint8Array) => {
      const block = this.blocks.get(hex(digest));
      return block === undefined ? undefined : { file: this.#file, ...block };
    };
    return { repositories, blocks: { extentNow } } as unknown as MirrorView;
  }

  catchUp(): Promise<void> | undefined {
    return this.isBehind ? Promise.resolve() : undefined;
  }

  readonly hot = new HotAnswers({
    mirror: this,
    access: { isPrivate: () => this.isPrivate },
    metrics: { answered: () => {}, hit: () => {}, miss: () => {} },
    isLogged: false,
  });

  keep(url: string, text: string): void {
    const body = Buffer.from(text);
    const digest = sha256(body);
    this.blocks.set(hex(digest), { at: this.#end, length: body.length });
    writeSync(this.#fd, body, 0, body.length, this.#end);
    this.#end += body.length;
    const file = { codec: RAW, digest, kind: FILE, node: undefined, path: '', way: [] } as const;
    this.hot.keep({ url, name: 'r', head: this.head ?? headOf(0), headers: { etag: `"${text}"` }, file, body });
  }

  /** Changes the first byte of the file. */
  damage(): void {
    writeSync(this.#fd, '?', 0);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** The body of the answer; undefined when a route must answer. */
  ask(url: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): string | undefined {
    let sent: string | undefined;
    const response = {
      socket: null,
      writeHead: () => response,
      setHeader: () => response,
      end: (body: Uint8Array) => (sent = Buffer.from(body).toString()),
    };
    const isAnswered = this.hot.answer(
      { url, headers, method, httpVersionMajor: 1 } as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    );
    assert.equal(isAnswered, sent !== undefined);
    return sent;
  }
}

test('what was given before is given again, from memory once it was asked for twice', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  assert.deepEqual([one.ask('/r/a'), one.ask('/r/a'), one.ask('/r/a')], ['text', 'text', 'text']);
  one.damage();
  assert.equal(one.ask('/r/a'), 'text', 'nothing is read any more');
  assert.equal(one.ask('/r/b'), undefined);
});

test('an answer counts for as long as its snapshot is the head, also when the home was opened again', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  one.head = headOf(1);
  assert.equal(one.ask('/r/a'), 'text');
  one.head = headOf(2);
  assert.equal(one.ask('/r/a'), undefined);
  one.head = undefined;
  assert.equal(one.ask('/r/a'), undefined);
});

test('while the home has a head that was not opened yet, the route answers, which waits for it', () => {
  const one = new OneMirror();
  one.keep('/r/file', 'text');
  one.isBehind = true;
  assert.equal(one.ask('/r/file'), undefined);
  one.isBehind = false;
  assert.equal(one.ask('/r/file'), 'text');
  one.close();
});

test('what has become private is answered by nobody without a token', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  one.isPrivate = true;
  assert.equal(one.ask('/r/a'), undefined);
  one.keep('/r/b', 'text');
  one.isPrivate = false;
  assert.equal(one.ask('/r/b'), undefined);
});

test('conditions, ranges, bodies and HEAD are for the routes', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  for (const name of [
    'if-none-match',
    'if-match',
    'if-modified-since',
    'if-unmodified-since',
    'range',
    'content-length',
    'transfer-encoding',
  ])
    assert.equal(one.ask('/r/a', { [name]: 'x' }), undefined, name);
  assert.equal(one.ask('/r/a', {}, 'HEAD'), undefined);
});

test('a block that cannot be had intact at once is for the routes, which look elsewhere', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  one.keep('/r/b', 'more');
  one.damage();
  assert.equal(one.ask('/r/a'), undefined);
  assert.equal(one.ask('/r/b'), 'more');
  one.keep('/r/c', 'gone');
  one.blocks.clear();
  assert.equal(one.ask('/r/c'), undefined);
});
