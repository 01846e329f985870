/** The answer of a gateway, by whichever transport it came, and how long its body is waited for. */
import { GatewayFailure, type GatewayLimits } from './failure.ts';

/**
 * @param piece of the body; of a long answer a view of a buffer that is used again: valid until the call returns
 * @returns whether more of the body is wanted. What it throws ends the reading, and is thrown on.
 */
export type TakePiece = (piece: Buffer) => boolean;

/**
 * Where the next bytes of a body may be put right away, so that nobody need copy them there: at most so many. The piece that `take` is given
 * lies there then. An answer need not ask for it.
 */
export type RoomForPiece = (most: number) => Buffer;

export interface Answer {
  readonly status: number;
  /** By names in lower case. Of a header that comes twice, what node:http makes of it, or the first. */
  header(name: string): string | undefined;
  /**
   * Resolves at the end of the body, or as soon as `take` wants no more; what comes after that is not read. To be called once.
   * @throws GatewayFailure when it breaks off, is silent or too slow; what `take` throws; whatever `signal` was aborted with
   */
  read(limits: GatewayLimits, signal: AbortSignal | undefined, take: TakePiece, room?: RoomForPiece): Promise<void>;
  /** Gives it up: nobody wants its body. */
  discard(): void;
}

/** Ends a body that is silent or drips. One timer for all pieces. */
export class BodyWatch {
  readonly #limits: GatewayLimits;
  readonly #onFailure: (failure: GatewayFailure) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #beatMs: number;
  #bytes = 0;
  #heardAt = performance.now();
  #windowAt = this.#heardAt;
  #beatAt = this.#heardAt;

  constructor(limits: GatewayLimits, onFailure: (failure: GatewayFailure) => void) {
    this.#limits = limits;
    this.#onFailure = onFailure;
    this.#beatMs = Math.max(10, Math.min(limits.silenceMs, limits.windowMs) / 8);
    this.#timer = setInterval(() => this.#look(), this.#beatMs);
  }

  heard(bytes: number): void {
    this.#heardAt = performance.now();
    this.#bytes += bytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const { silenceMs, windowMs, leastBytesPerSecond } = this.#limits;
    // A thread that was held up, such as by a disk that takes no more, has not listened meanwhile.
    const heldUpMs = Math.max(0, now - this.#beatAt - 2 * this.#beatMs);
    this.#beatAt = now;
    this.#heardAt += heldUpMs;
    this.#windowAt += heldUpMs;
    if (now - this.#heardAt > silenceMs) {
      this.#onFailure(new GatewayFailure('broken', `no sign of life for ${silenceMs / 1000} s`));
    } else if (now - this.#windowAt > windowMs) {
      const seconds = (now - this.#windowAt) / 1000;
      if (this.#bytes < leastBytesPerSecond * seconds)
        this.#onFailure(new GatewayFailure('broken', `its answer drips: ${this.#bytes} bytes in ${Math.round(seconds)} s`));
      this.#windowAt = now;
      this.#bytes = 0;
    }
  }
}
