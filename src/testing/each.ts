/** What each test of a file begins with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { TestHome } from './run.ts';

/** Gives each test an empty source directory and a home with one local peer, which are gone after it. */
export function beginEach(use: (dir: string, home: TestHome) => void): void {
  let remove = () => {};
  beforeEach(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
    const home = await TestHome.create();
    remove = () => {
      home.remove();
      rmSync(dir, { recursive: true, force: true });
    };
    use(dir, home);
  });
  afterEach(() => remove());
}

/** Lets the clock move on: what was written a moment ago is racy, and looked at again whatever its stat data say. */
export const tick = () => new Promise((resolve) => setTimeout(resolve, 30));
