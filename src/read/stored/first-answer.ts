/** Asks one after the other until one answers, and the next one also when the one before takes long. */

/** So long a peer may take before the next one is asked, too: a dead one takes a whole time-out, ten seconds and more. */
const PATIENCE_MS = 1_500;

/**
 * @param asks at least one, in order @param onError called with each failure, and throws it on when the others must not be asked
 * @returns undefined when all have failed
 */
export async function firstAnswer<T>(
  asks: readonly (() => Promise<T>)[],
  onError: (error: unknown) => void,
  patienceMs = PATIENCE_MS,
): Promise<T | undefined> {
  const [only] = asks;
  if (only !== undefined && asks.length === 1) return await only().catch((error: unknown) => void onError(error));
  return await new Promise<T | undefined>((resolve, reject) => {
    let next = 0;
    let running = 0;
    let timer: NodeJS.Timeout | undefined;
    const ask = () => {
      clearTimeout(timer);
      const one = asks[next++];
      if (one === undefined) {
        if (running === 0) resolve(undefined);
        return;
      }
      running++;
      if (next < asks.length) timer = setTimeout(ask, patienceMs);
      one().then(
        (answer) => {
          clearTimeout(timer);
          next = asks.length;
          running--;
          resolve(answer);
        },
        (error: unknown) => {
          running--;
          try {
            onError(error);
            ask();
          } catch (bug) {
            clearTimeout(timer);
            next = asks.length;
            reject(bug);
          }
        },
      );
    };
    ask();
  });
}
