/** What `recover` is given in tests: everything that the home's peers hold, unless something else is said. */
import { join } from 'node:path';
import type { Index } from '../index/index.ts';
import type { RecoverRun } from '../maintain/recover/recover-run.ts';
import type { TestHome } from './run.ts';

export function recoverRun(home: TestHome, index: Index, options: Partial<RecoverRun> = {}): RecoverRun {
  return {
    wanted: undefined,
    homeId: 'none',
    owner: undefined,
    name: undefined,
    source: '',
    headOf: () => undefined,
    demandOf: () => ({}),
    heldBackOf: () => [],
    index,
    peers: home.peers,
    heads: join(home.dir, 'heads'),
    emit: () => {},
    signal: new AbortController().signal,
    ...options,
  };
}
