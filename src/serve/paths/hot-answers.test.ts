import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { FILE, RAW, type SnapshotRecord } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import { HotAnswers } from './hot-answers.ts';

const headOf = (number: number) => ({ number, cid: `cid${number}`, repository: 'r' }) as unknown as SnapshotRecord;

/** A mirror of one repository whose blocks are read at once, unless they are gone. */
class OneMirror {
  head: SnapshotRecord | undefined = headOf(1);
  isPrivate = false;
  readonly blocks = new Map<string, Uint8Array>();
  reads = 0;
  held = 0;

  readonly mirror: Mirror = {
    acquire: () => {
      this.held++;
      const { head } = this;
      const repositories = new Map(head === undefined ? [] : [['r', { name: 'r', head, snapshots: [head] }]]);
      const readNow = (digest: Uint8Array) => {
        this.reads++;
        return this.blocks.get(Buffer.from(digest).toString('hex'));
      };
      return { repositories, blocks: { readNow } } as unknown as MirrorView;
    },
    release: () => void this.held--,
    onChange: () => () => {},
  };

  readonly hot = new HotAnswers({
    mirror: this.mirror,
    access: { isPrivate: () => this.isPrivate },
    metrics: { answered: () => {}, hit: () => {}, miss: () => {} },
    isLogged: false,
  });

  keep(url: string, text: string): void {
    const body = Buffer.from(text);
    const digest = sha256(body);
    this.blocks.set(Buffer.from(digest).toString('hex'), body);
    const file = { codec: RAW, digest, kind: FILE, node: undefined, path: '', way: [] } as const;
    this.hot.keep({ url, name: 'r', head: this.head ?? headOf(0), headers: { etag: `"${text}"` }, file, body });
  }

  /** The body of the answer; undefined when a route must answer. */
  ask(url: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): string | undefined {
    let sent: string | undefined;
    const response = {
      writeHead: () => response,
      setHeader: () => response,
      end: (body: Uint8Array) => (sent = Buffer.from(body).toString()),
    };
    const isAnswered = this.hot.answer({ url, headers, method } as unknown as IncomingMessage, response as unknown as ServerResponse);
    assert.equal(isAnswered, sent !== undefined);
    assert.equal(this.held, 0, 'no view is held');
    return sent;
  }
}

test('what was given before is given again, from memory once it was asked for twice', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  assert.deepEqual([one.ask('/r/a'), one.ask('/r/a'), one.ask('/r/a')], ['text', 'text', 'text']);
  assert.equal(one.reads, 1);
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

test('what has become private is answered by nobody without a token', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  one.isPrivate = true;
  assert.equal(one.ask('/r/a'), undefined);
  one.keep('/r/b', 'text');
  one.isPrivate = false;
  assert.equal(one.ask('/r/b'), undefined);
});

test('conditions, ranges and HEAD are for the routes', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  for (const name of ['if-none-match', 'if-match', 'if-modified-since', 'if-unmodified-since', 'range'])
    assert.equal(one.ask('/r/a', { [name]: 'x' }), undefined, name);
  assert.equal(one.ask('/r/a', {}, 'HEAD'), undefined);
});

test('a block that cannot be had intact at once is for the routes, which look elsewhere', () => {
  const one = new OneMirror();
  one.keep('/r/a', 'text');
  one.blocks.clear();
  assert.equal(one.ask('/r/a'), undefined);
});
