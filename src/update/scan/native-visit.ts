/**
 * Tells when a thread is inside native code. If a thread is ended while it loads or calls koffi, koffi wants to throw an error, which is
 * not possible any more, and ends the whole process (SIGABRT, exit code 134). So the thread notes when it enters and leaves koffi, and
 * whoever ends the thread waits until it is outside.
 */

/** The words of the shared memory. */
const STATE = 0;
const ASKED = 1;

const OUTSIDE = 0;
const INSIDE = 1;
/** Nobody goes in any more. */
const CLOSED = 2;

/** One for the thread and one for whoever ends it, on the same memory. */
export class NativeVisit {
  readonly memory: Int32Array<SharedArrayBuffer>;

  constructor(memory = new Int32Array(new SharedArrayBuffer(8))) {
    this.memory = memory;
  }

  /** @returns false when the thread is about to be ended: it must stay outside */
  enter(): boolean {
    return Atomics.compareExchange(this.memory, STATE, OUTSIDE, INSIDE) === OUTSIDE;
  }

  leave(): void {
    Atomics.compareExchange(this.memory, STATE, INSIDE, OUTSIDE);
    Atomics.notify(this.memory, STATE);
  }

  /** Somebody waits: to be looked at between two pieces of work. */
  get isAskedToLeave(): boolean {
    return Atomics.load(this.memory, ASKED) === 1;
  }

  /** Waits until the thread is outside, and keeps it there. @param ms at most: its disk may not answer */
  close(ms: number): void {
    Atomics.store(this.memory, ASKED, 1);
    if (Atomics.compareExchange(this.memory, STATE, OUTSIDE, CLOSED) !== INSIDE) return;
    Atomics.wait(this.memory, STATE, INSIDE, ms);
    Atomics.compareExchange(this.memory, STATE, OUTSIDE, CLOSED);
  }
}
