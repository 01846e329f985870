/**
 * `/events`: tells open pages what is running, and that the state of the home has changed, as server-sent events. While there are clients
 * the small files of the runs are read once a second, once for all of them. Clients are few and may not be slow: what they have not read
 * stays in memory.
 */
import type { ServerResponse } from 'node:http';

const TICK_MS = 1000;
/** A proxy takes a connection without a byte for dead after half a minute or so. */
const BEAT_MS = 15_000;
const MOST_CLIENTS = 100;
/** A client that has not read this much is gone, or as good as gone. */
const MOST_WAITING_BYTES = 64 * 1024;

export interface EventClientsOptions<Runs> {
  /** Reads what is running; asked once for all clients. */
  readonly runs: () => Runs;
  /** Version of the home's state. */
  readonly version: () => number;
  readonly now: () => number;
  /** Ends all clients. */
  readonly signal: AbortSignal;
}

interface Client<Runs> {
  readonly to: ServerResponse;
  /** What is running, as this client may see it: HTML. */
  readonly shown: (runs: Runs) => string;
  running: string | undefined;
  version: number;
  toldAt: number;
}

export class EventClients<Runs> {
  readonly #options: EventClientsOptions<Runs>;
  readonly #clients = new Set<Client<Runs>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EventClientsOptions<Runs>) {
    this.#options = options;
    options.signal.addEventListener('abort', () => {
      for (const { to } of this.#clients) to.end();
    });
  }

  get isFull(): boolean {
    return this.#clients.size >= MOST_CLIENTS || this.#options.signal.aborted;
  }

  /** Takes over an answer whose header is not sent yet. It ends with the client, or with the server. */
  add(to: ServerResponse, headers: Readonly<Record<string, string>>, shown: (runs: Runs) => string): void {
    // Its `close` has been: nobody would ever let go of it.
    if (to.destroyed) return;
    const client: Client<Runs> = { to, shown, running: undefined, version: -1, toldAt: this.#options.now() };
    // The proxies of nginx would collect events until a buffer is full.
    to.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no', ...headers });
    to.write('retry: 3000\n\n');
    this.#clients.add(client);
    to.on('error', () => {});
    to.on('close', () => {
      this.#clients.delete(client);
      if (this.#clients.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    this.#tell(client, this.#options.runs());
    this.#timer ??= setInterval(() => this.#tellAll(), TICK_MS).unref();
  }

  #tellAll(): void {
    const runs = this.#options.runs();
    for (const client of this.#clients) this.#tell(client, runs);
  }

  #tell(client: Client<Runs>, runs: Runs): void {
    const { to, shown } = client;
    if (to.writableLength > MOST_WAITING_BYTES) {
      to.destroy();
      return;
    }
    const [running, version, now] = [shown(runs), this.#options.version(), this.#options.now()];
    let text = '';
    if (running !== client.running) text += `event: running\ndata: ${JSON.stringify(running)}\n\n`;
    if (version !== client.version) text += `event: state\ndata: ${version}\n\n`;
    if (text === '' && now - client.toldAt >= BEAT_MS) text = ': still here\n\n';
    if (text === '') return;
    to.write(text);
    client.running = running;
    client.version = version;
    client.toldAt = now;
  }
}
