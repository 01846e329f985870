/** A command that runs until it is stopped: it is started, asked once for what it is there for, and stopped. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { OperatorsWorld } from '../operators-world.ts';
import { kill } from '../signals.ts';

export type LongCommand = 'serve' | 'mount' | 'watch' | 'follow';

/** No measure of anything: a test that waits for ever says nothing. */
const MOST_MS = 60_000;

interface Asking {
  /** What it says when it can be asked; absent where it says nothing. */
  readonly ready?: RegExp;
  /** @param signal the asking is over */
  readonly ask?: (said: readonly string[], world: OperatorsWorld, signal: AbortSignal) => void | Promise<void>;
  /** How it ends when it is stopped: what works meanwhile may be at work. */
  readonly codes: readonly number[];
}

const ASKED: Readonly<Record<LongCommand, Asking>> = {
  serve: {
    ready: /https?:\/\/[\w.:[\]]+/,
    ask: async ([url = '']) => {
      const { status } = await fetch(url.replace('0.0.0.0', '127.0.0.1'));
      assert.ok([200, 401].includes(status), `${url}: ${status}`);
    },
    codes: [0],
  },
  mount: {
    ready: /is mounted on (.+?);/,
    ask: ([, dir = '']) => assert.notEqual(readdirSync(dir).length, 0),
    codes: [0],
  },
  watch: {
    ask: async (_, world, signal) => {
      const head = () => readFileSync(world.at('var/lib/shardctl/heads/debian'), 'utf8');
      const before = head();
      writeFileSync(world.at('srv/debian/NEWS'), 'told to whoever watches\n');
      while (head() === before) await setTimeout(20, undefined, { signal });
    },
    codes: [0, 143],
  },
  follow: { ready: /looks again in/, codes: [0, 143] },
};

/** @returns its exit code, 0 where it ended in good order, and all that it has said */
export async function askedOnce(world: OperatorsWorld, line: string, command: LongCommand): Promise<{ code: number | null; said: string }> {
  const { ready, ask, codes } = ASKED[command];
  const child = world.start(line);
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const over = new AbortController();
  let said = '';
  try {
    const died = ended.then(([code]) => assert.fail(`ended with ${code}: ${said}`));
    const found = new Promise<readonly string[]>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          const match = ready?.exec(said) ?? null;
          if (match !== null) resolve(match);
        });
      }
      if (ready === undefined) resolve([]);
    });
    const silent = setTimeout(MOST_MS, undefined, { ref: false }).then(() => assert.fail(`cannot be asked after ${MOST_MS} ms: ${said}`));
    for (const end of [died, silent]) end.catch(() => {});
    await Promise.race([died, silent, found.then((match) => ask?.(match, world, over.signal))]);
  } finally {
    over.abort();
    if (child.pid !== undefined && child.exitCode === null) kill(child.pid, 'SIGTERM');
    await ended;
  }
  const { exitCode: code } = child;
  return { code: code !== null && codes.includes(code) ? 0 : code, said };
}
