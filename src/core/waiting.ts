/** Ways to wait: for a time, for work no longer than so long, for another try, for a turn under a limit on bytes a second. */

/** Waits. @throws whatever `signal` is aborted with, at once */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  // The global timer, which tests put their own in place of.
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await (signal === undefined ? over : untilAborted(over, signal)).finally(() => clearTimeout(timer));
}

/**
 * Waits for work to end, but no longer than so many milliseconds. Work that takes longer goes on, and nobody hears how it ends.
 * @returns whether it has ended @throws what it has failed with
 */
export async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return await Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer));
}

/** Waits for work to end, or for the signal: then the work goes on, and nobody hears how it ends. @throws the signal's reason */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave = () => {};
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
  return await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', leave));
}

/**
 * Does work again until it succeeds.
 * @param pauseAfter how many milliseconds to wait after the failure of this attempt (the first is 1); undefined: the failure is thrown
 * @throws whatever `signal` is aborted with during a pause
 */
export async function retrying<T>(
  work: () => Promise<T>,
  pauseAfter: (error: unknown, attempt: number) => number | undefined,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const pauseMs = pauseAfter(error, attempt);
      if (pauseMs === undefined) throw error;
      await sleep(pauseMs, signal);
    }
  }
}

/** Part of a second whose bytes may go at once. */
const BURST_SECONDS = 0.25;

/**
 * A token bucket: everything that passes through one stays below its rate together, first come, first served.
 * @param bytesPerSecond at least 1
 */
export function limitedTo(bytesPerSecond: number, signal: AbortSignal, now: () => number): (bytes: number) => Promise<void> {
  // The moment at which everything that was let through so far is paid for.
  let paidAt = Number.NEGATIVE_INFINITY;
  return async (bytes) => {
    const at = now();
    const waitMs = Math.max(0, paidAt - at - BURST_SECONDS * 1000);
    paidAt = Math.max(paidAt, at) + (bytes / bytesPerSecond) * 1000;
    if (waitMs > 0) await sleep(waitMs, signal);
  };
}
