import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { EventClients } from './event-clients.ts';

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

/** A client that keeps what it is sent, and has read it unless it is slow. */
class Reader extends EventEmitter {
  text = '';
  destroyed = false;
  writableLength = 0;
  writeHead() {}
  write(text: string): void {
    this.text += text;
  }
  end(): void {
    this.emit('close');
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function clients() {
  const world = { runs: 'a', reads: 0, version: 1, now: 0, stop: new AbortController() };
  const all = new EventClients<string>({
    runs: () => {
      world.reads += 1;
      return world.runs;
    },
    version: () => world.version,
    now: () => world.now,
    signal: world.stop.signal,
  });
  const add = (shown = (runs: string) => runs, reader = new Reader()): Reader => {
    all.add(reader as unknown as ServerResponse, {}, shown);
    return reader;
  };
  const second = () => {
    world.now += 1000;
    mock.timers.tick(1000);
  };
  return { world, add, second };
}

test('a client hears what has changed, and what it may see; nothing is read twice for two of them', () => {
  const { world, add, second } = clients();
  const [one, two] = [add(), add(() => 'hidden')];
  const before = [one.text, two.text, world.reads];
  second();
  assert.deepEqual([one.text, two.text, world.reads], [before[0], before[1], 3]);
  world.runs = 'b';
  second();
  assert.match(one.text, /event: running\ndata: "b"\n\n$/);
  assert.equal(two.text, before[1]);
  world.version = 2;
  second();
  assert.match(two.text, /event: state\ndata: 2\n\n$/);
});

test('one that reads nothing is dropped, and the others do not notice', () => {
  const { world, add, second } = clients();
  const [slow, quick] = [add(), add()];
  slow.writableLength = 100_000;
  world.runs = 'b';
  second();
  assert.ok(slow.destroyed && !quick.destroyed);
  assert.match(quick.text, /"b"/);
});

test('a sign of life comes four times a minute, and nothing is read when nobody listens', () => {
  const { world, add, second } = clients();
  const reader = add();
  for (let count = 0; count < 60; count += 1) second();
  assert.equal(reader.text.match(/: still here/g)?.length, 4);
  reader.destroy();
  const { reads } = world;
  second();
  assert.equal(world.reads, reads);
});

test('all end with the server', () => {
  const { world, add } = clients();
  let ended = 0;
  for (const reader of [add(), add()]) reader.on('close', () => ended++);
  world.stop.abort();
  assert.equal(ended, 2);
});

test('one that has left before it was taken over is told nothing, and takes nobody his place', () => {
  const { world, add, second } = clients();
  const gone = new Reader();
  gone.destroy();
  add(undefined, gone);
  const { reads } = world;
  second();
  assert.deepEqual([gone.text, world.reads], ['', reads]);
});
