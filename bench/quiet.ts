/** Keeps measurements apart from other work on the machine that holds the same lock. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export type Quietly = <T>(work: () => Promise<T>) => Promise<T>;

/** @param lock a file, held exclusively (flock) during each piece of work; none when undefined @param signal ends the wait for it */
export function quietlyWith(lock: string | undefined, signal: AbortSignal): Quietly {
  if (lock === undefined) return (work) => work();
  return async (work) => {
    // `cat` ends with its input, and the lock with it.
    const holder = spawn('flock', ['-x', lock, 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lost = ended(holder);
    lost.catch(() => {});
    const stop = () => holder.kill();
    signal.addEventListener('abort', stop, { once: true });
    await Promise.race([once(holder.stdout, 'data'), lost]).finally(() => signal.removeEventListener('abort', stop));
    try {
      return await work();
    } finally {
      holder.stdin.end();
      await once(holder, 'exit');
    }
  };
}

async function ended(holder: ChildProcess): Promise<never> {
  const [code] = await once(holder, 'exit');
  throw new Error(`flock ended with ${code} before it had the lock`);
}
