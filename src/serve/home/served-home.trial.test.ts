/** The whole program: readers that check every byte, while other runs update, prune, rename and remove what they read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { sampled } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';
import { writeTree } from '../../testing/tree.ts';

const FILES = 60;
const READERS = 2;
/** No socket takes it at once. */
const BIG = FILES;
const program = new Program();
const source = program.path('mirror');
let server: ServeProcess;

/** A file as it is in one state of the source: small ones, and some of several leaves. */
function content(file: number, state: number): Buffer {
  return Buffer.alloc(file === BIG ? 24_000_000 : file % 20 === 0 ? 2_500_000 : 5000, `file ${file} of state ${state};`);
}

/** The state in which a file was written last: each state has another half of the files anew. */
function stateOf(file: number, state: number): number {
  return state === 0 || (file + state) % 2 === 0 ? state : state - 1;
}

function write(state: number): void {
  for (let file = 0; file < FILES; file++) if (stateOf(file, state) === state) writeFileSync(`${source}/${file}`, content(file, state));
}

before(async () => {
  writeTree(source, { odd: 'file' });
  write(0);
  writeFileSync(`${source}/${BIG}`, content(BIG, 0));
  program.succeeds('add', 'mirror', '-q', '--shard-size', '4MiB');
  server = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
});
after(async () => {
  await server.stop();
  program.dispose();
});

/** Which state a body is; the body is compared with all of it. */
function stateIn(file: number, body: Buffer): number {
  const state = Number(/of state (\d+);/.exec(body.subarray(0, 100).toString())?.[1]);
  assert.ok(body.equals(content(file, state)), `file ${file} is not what it was in state ${state}`);
  return state;
}

/** Reads files one after the other until told to stop. @returns how many */
async function readOn(name: string, isOver: () => boolean): Promise<number> {
  let newest = 0;
  let read = 0;
  for (let file = 0; !isOver(); file = (file + 7) % FILES) {
    const response = await fetch(`${server.url}/${name}/${file}`);
    assert.equal(response.status, 200, `file ${file}: ${response.status}`);
    const state = stateIn(file, Buffer.from(await response.arrayBuffer()));
    // A file may lag behind the newest state that was seen by the one state for which it was not written anew.
    assert.ok(state >= newest - 1, `file ${file} is of state ${state} after one of state ${newest}`);
    newest = Math.max(newest, state);
    read++;
  }
  return read;
}

/** Runs a command while the readers go on. */
async function runs(...argv: string[]): Promise<void> {
  const { code, stderr } = await program.follow(() => {}, ...argv, '-q');
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
}

/** Resolves when the head that is served is that of this state. */
async function shows(name: string, state: number): Promise<void> {
  const file = (FILES - state) % 2 === 0 ? 2 : 1;
  const at = stateOf(file, state) === state ? file : file + 1;
  for (;;) {
    const response = await fetch(`${server.url}/${name}/${at}`);
    const body = Buffer.from(await response.arrayBuffer());
    if (response.status === 200 && stateIn(at, body) === state) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('updates, prunes with repacking, and a rename break no answer under way, and the next ones are of the new state', async () => {
  let isOver = false;
  const readers = Array.from({ length: READERS }, () => readOn('mirror', () => isOver));
  const failed = Promise.all(readers);
  failed.catch(() => {});
  let state = 0;
  for (let round = 0; round < sampled(1, 5); round++) {
    write(++state);
    await runs('update', 'mirror');
    await shows('mirror', state);
    await runs('forget', 'mirror', '--keep-last', '1');
    await runs('prune', '--max-unused', '0');
  }
  isOver = true;
  const counts = await failed;
  assert.ok(counts.every((count) => count > 0));
  await runs('rename', 'mirror', 'renamed');
  await shows('renamed', state);
  assert.equal((await fetch(`${server.url}/mirror/1`)).status, 404);
});

/** Asks for a file, takes the first bytes, and nothing more before it is told to. */
class PausedReader {
  readonly #response: IncomingMessage;

  static async of(path: string): Promise<PausedReader> {
    const [response] = (await once(get(`${server.url}${path}`), 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    return new PausedReader(response.pause());
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
  }

  async rest(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.#response) parts.push(part);
    return Buffer.concat(parts);
  }
}

test('an answer under way goes on while its repository is removed and its shards are deleted', async () => {
  const { lines } = program.succeeds('ls', '-l', 'renamed');
  const cid = lines.find((line) => line.endsWith(` ${BIG}`))?.match(/\bbafy\w+/)?.[0];
  const readers = await Promise.all([`/renamed/${BIG}`, `/ipfs/${cid}`].map((path) => PausedReader.of(path)));
  await runs('rm', 'renamed');
  for (const reader of readers) stateIn(BIG, await reader.rest());
  rmSync(source, { recursive: true });
  for (;;) {
    const gone = await fetch(`${server.url}/renamed/1`);
    await gone.arrayBuffer();
    if (gone.status === 404) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
