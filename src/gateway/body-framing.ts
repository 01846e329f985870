/**
 * Where the body of an HTTP/1.1 answer ends (RFC 9112, section 6.3), for a connection that carries one answer: after so many bytes, after
 * its last chunk, or where the connection ends.
 */
import { displayText } from '../core/display.ts';
import type { TakePiece } from './answer.ts';
import { GatewayFailure } from './failure.ts';

/** Of a chunk's first line, with extensions that nobody reads. */
const MOST_SIZE_LINE_BYTES = 1024;
const MOST_TRAILER_BYTES = 64 * 1024;
/** Thirteen hexadecimal digits are the most that a number holds. */
const CHUNK_SIZE = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i;
const LF = 0x0a;

export interface BodyFraming {
  /**
   * Takes the next bytes of the connection. @returns whether the body goes on, and is wanted
   * @throws GatewayFailure; what `take` throws
   */
  push(bytes: Buffer, take: TakePiece): boolean;
  /** Whether the body is complete where the connection ends. */
  readonly mayEnd: boolean;
}

export class CountedBody implements BodyFraming {
  readonly mayEnd = false;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  push(bytes: Buffer, take: TakePiece): boolean {
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= piece.length;
    return (piece.length === 0 || take(piece)) && this.#left > 0;
  }
}

export class UncountedBody implements BodyFraming {
  readonly mayEnd = true;

  push(bytes: Buffer, take: TakePiece): boolean {
    return bytes.length === 0 || take(bytes);
  }
}

export class ChunkedBody implements BodyFraming {
  readonly mayEnd = false;
  #expects: 'size' | 'data' | 'end of data' | 'trailer' = 'size';
  /** Bytes of the chunk that are still to come. */
  #left = 0;
  /** What is there of a line. */
  #line = '';
  #trailerBytes = 0;

  push(bytes: Buffer, take: TakePiece): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#expects === 'data') {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#expects = 'end of data';
        if (!take(piece)) return false;
        continue;
      }
      const lf = bytes.indexOf(LF, at);
      const end = lf < 0 ? bytes.length : lf;
      const most = this.#expects === 'trailer' ? MOST_TRAILER_BYTES - this.#trailerBytes : MOST_SIZE_LINE_BYTES;
      if (this.#line.length + end - at > most) throw nonsense('a line of its chunks is too long');
      this.#line += bytes.toString('latin1', at, end);
      at = end + 1;
      if (lf < 0) return true;
      const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
      this.#line = '';
      if (!this.#takeLine(line)) return false;
    }
    return true;
  }

  /** @returns whether the body goes on */
  #takeLine(line: string): boolean {
    switch (this.#expects) {
      case 'size': {
        const size = CHUNK_SIZE.exec(line)?.[1];
        if (size === undefined) throw nonsense('a chunk has no size');
        this.#left = Number.parseInt(size, 16);
        this.#expects = this.#left === 0 ? 'trailer' : 'data';
        return true;
      }
      case 'end of data':
        if (line !== '') throw nonsense('a chunk is longer than it says');
        this.#expects = 'size';
        return true;
      default: {
        if (line === '') return false;
        this.#trailerBytes += line.length;
        const [name = '', ...value] = line.split(':');
        // The word of Kubo and Cluster that a stream broke off after a 200.
        const said = value.join(':').trim();
        if (name.toLowerCase() === 'x-stream-error' && said !== '') throw new GatewayFailure('broken', displayText(said));
        return true;
      }
    }
  }
}

export function nonsense(why: string): GatewayFailure {
  return new GatewayFailure('lies', `it does not speak HTTP: ${why}`);
}
