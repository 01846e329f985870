/** A command that runs until it is stopped: it is started, asked once for what it is there for, and stopped. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { kill } from '../signals.ts';

export type LongCommand = 'serve' | 'mount' | 'watch' | 'follow';

/** What it says when it is ready, and how it is asked then. @param said that line */
interface Asking {
  readonly ready: RegExp;
  readonly ask?: (said: RegExpExecArray) => void | Promise<void>;
}

const ASKED: Readonly<Record<LongCommand, Asking>> = {
  serve: {
    ready: /https?:\/\/[\w.:[\]]+/,
    ask: async ([url]) => {
      const { status } = await fetch(url.replace('0.0.0.0', '127.0.0.1'));
      assert.ok([200, 401].includes(status), `${url}: ${status}`);
    },
  },
  mount: {
    ready: /is mounted on (.+?);/,
    ask: ([, dir = '']) => assert.notEqual(readdirSync(dir).length, 0),
  },
  watch: { ready: /\bdirector(?:y|ies) watched$/m },
  follow: { ready: /^ *held .*$/m },
};

/** @returns its exit code, and all that it has said */
export async function askedOnce(child: ChildProcess, command: LongCommand): Promise<{ code: number | null; said: string }> {
  const { ready, ask } = ASKED[command];
  const ended = once(child, 'exit');
  let said = '';
  try {
    const found = await new Promise<RegExpExecArray>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          const match = ready.exec(said);
          if (match !== null) resolve(match);
        });
      }
      child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
    });
    await ask?.(found);
  } finally {
    if (child.pid !== undefined && child.exitCode === null) kill(child.pid, 'SIGTERM');
    await ended;
  }
  return { code: child.exitCode, said };
}
