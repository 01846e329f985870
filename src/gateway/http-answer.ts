/** An answer that came by node:http. */
import type { IncomingMessage } from 'node:http';
import { displayText } from '../core/display.ts';
import { type Answer, BodyWatch, type TakePiece } from './answer.ts';
import { failureOf, GatewayFailure, type GatewayLimits } from './failure.ts';

/** How long the end of a body is waited for that is complete already, so that its connection can be used again. */
const END_MS = 1000;

export class HttpAnswer implements Answer {
  readonly status: number;
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.#message = message;
    this.status = message.statusCode ?? 0;
  }

  header(name: string): string | undefined {
    const value = this.#message.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }

  read(limits: GatewayLimits, signal: AbortSignal | undefined, take: TakePiece): Promise<void> {
    const message = this.#message;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const watch = new BodyWatch(limits, fail);
      const abort = () => fail(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });

      message.on('data', (piece: Buffer) => {
        if (isOver) {
          // More than was wanted.
          message.destroy();
          return;
        }
        watch.heard(piece.length);
        try {
          if (!take(piece)) end();
        } catch (error) {
          fail(error);
        }
      });
      message.once('end', () => {
        const said = message.trailers['x-stream-error'];
        if (said !== undefined && said !== '') fail(new GatewayFailure('broken', displayText(said)));
        else end();
      });
      message.once('aborted', () => fail(new GatewayFailure('broken', 'it breaks off')));
      message.on('error', (error) => fail(failureOf(error)));
      message.once('close', () => fail(new GatewayFailure('broken', 'it breaks off')));
      if (signal?.aborted) abort();

      function release(): void {
        isOver = true;
        watch.end();
        signal?.removeEventListener('abort', abort);
      }
      function end(): void {
        if (isOver) return;
        release();
        if (!message.complete) setTimeout(() => !message.complete && message.destroy(), END_MS).unref();
        resolve();
      }
      function fail(error: unknown): void {
        if (isOver) return;
        release();
        message.destroy();
        reject(error);
      }
    });
  }

  discard(): void {
    this.#message.on('error', () => {}).destroy();
  }
}
