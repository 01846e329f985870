/**
 * How many requests are worked on at once. Each holds what it reads and what it is about to send, so that ten thousand at once would take
 * gigabytes; those beyond the bound wait in the order in which they came, and hold no more than their headers. An answer whose body has to wait, or
 * has begun, gives up its place: what bodies take is bounded by themselves (`body/body-memory.ts`), and nobody waits for a slow client.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BODY_WAITS } from '../body/send.ts';

export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** How often it is looked which answers have begun, in milliseconds. */
const LOOK_MS = 100;

export class Turnstile {
  readonly #places: number;
  readonly #handle: Handle;
  readonly #isFull: () => boolean;
  /** Those that have a place. */
  readonly #inside = new Set<ServerResponse>();
  /** In the order in which they came: a set gives them back in that order, and forgets each at once. */
  readonly #waiting = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;

  /** @param isFull whether bodies take so much memory already that nothing more should be begun */
  constructor(places: number, handle: Handle, isFull: () => boolean) {
    this.#places = places;
    this.#handle = handle;
    this.#isFull = isFull;
  }

  get #hasPlace(): boolean {
    return this.#inside.size < this.#places && !this.#isFull();
  }

  enter(request: IncomingMessage, response: ServerResponse): void {
    if (this.#hasPlace) this.#go(request, response);
    else {
      this.#waiting.add(response);
      this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    }
  }

  #go(request: IncomingMessage, response: ServerResponse): void {
    this.#inside.add(response);
    const leave = () => {
      if (this.#inside.delete(response)) this.#next();
    };
    response.once('close', leave);
    response.once(BODY_WAITS, leave);
    this.#handle(request, response);
  }

  #next(): void {
    for (const response of this.#waiting) {
      if (!this.#hasPlace) return;
      this.#waiting.delete(response);
      // The client may have left meanwhile.
      if (!isGone(response)) this.#go(response.req, response);
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const response of this.#inside) if (response.headersSent) this.#inside.delete(response);
    this.#next();
  }
}

/** Answers of HTTP/2 do not say it of themselves. */
function isGone(response: ServerResponse): boolean {
  if ('stream' in response) return (response.stream as { readonly destroyed: boolean }).destroyed;
  return response.req.destroyed || response.closed;
}
