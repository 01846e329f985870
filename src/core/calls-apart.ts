/** System calls in a thread of libuv's, by koffi. */

/** A function as koffi binds it; the last of the values is called at the end. */
interface Call {
  async(...values: unknown[]): unknown;
}

/**
 * Buffers of the calls that are under way. koffi gives the system their addresses and does not keep them: what nobody else refers to is
 * collected, and the system then writes into memory that is somebody else's.
 */
const lent = new Set<readonly unknown[]>();

/** Makes a call in a thread. @returns what the call returns, or −errno when it fails @param errno of the call that has just ended */
export async function apart(call: Call, errno: () => number, ...args: readonly unknown[]): Promise<number> {
  lent.add(args);
  return await new Promise<number>((resolve, reject) => {
    call.async(...args, (error: Error | null, result: number) => {
      // In the callback, errno is what the call has left.
      const value = result < 0 ? -errno() : result;
      lent.delete(args);
      if (error === null) resolve(value);
      else reject(error);
    });
  });
}
