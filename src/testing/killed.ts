/** The SQLite way: a process dies at its Nth write for N = 1, 2, … until it comes through; after each death the caller looks at what is left. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestHome } from './run.ts';

const CHILD = fileURLToPath(new URL('./retention-child.js', import.meta.url));
const FAULT = new URL('./fault.js', import.meta.url).href;

export interface Killing {
  /** Where the copies of homes go. */
  readonly dir: string;
  /** The home that each process gets a copy of, and its peers. */
  readonly template: TestHome;
  readonly peers: readonly string[];
  /** What `retention-child.ts` is to do, and the source for an `add`. */
  readonly action: string;
  readonly source?: string;
  /** What is done to a copy before. @param home its path */
  readonly prepare?: (home: string) => void;
  /** From one write to the next at which a process dies. */
  readonly step: number | ((n: number) => number);
  /** So many writes there are at the least: fewer, and the faults do not reach the program. */
  readonly writes: number;
}

/**
 * @param look at what is left of the copy, which is removed afterwards
 * @param n the write at which it died
 * @param isOver it did not: there are no more writes
 */
export async function killedAtEachWrite(
  killing: Killing,
  look: (home: TestHome, n: number, isOver: boolean) => Promise<void>,
): Promise<void> {
  const { dir, template, peers, action, source = '', prepare, step, writes } = killing;
  let n = 1;
  for (let isOver = false; !isOver; n += typeof step === 'number' ? step : step(n)) {
    const path = join(dir, `${action}-${n}`);
    cpSync(template.dir, path, { recursive: true });
    prepare?.(path);
    const env = { ...process.env, SHARDCTL_FAULT: `kill:${n}` };
    const { status, signal, stderr } = spawnSync(process.execPath, ['--import', FAULT, CHILD, path, action, source], {
      env,
      encoding: 'utf8',
    });
    assert.ok(signal === 'SIGKILL' || status === 0, stderr);
    isOver = status === 0;
    const home = TestHome.at(path, [...peers]);
    await look(home, n, isOver);
    home.remove();
  }
  assert.ok(n > writes, `only ${n} writes were tried`);
}
