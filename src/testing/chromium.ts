/** A real Chromium without a window, driven by its DevTools protocol: what a page looks like, what it says, what goes wrong in it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { WebSocket } from 'undici';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The path of the program; undefined where there is none. @throws when `SHARDCTL_TEST_REQUIRE` names `chromium` and there is none */
export function chromiumPath(): string | undefined {
  const path = PLACES.find((place) => existsSync(place));
  const required = (process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('chromium');
  if (path === undefined && required) throw new Error(`SHARDCTL_TEST_REQUIRE asks for chromium, and there is none of ${PLACES.join(', ')}`);
  return path;
}

export interface Look {
  /** Of the window, in CSS pixels. */
  readonly width: number;
  readonly scheme?: 'light' | 'dark';
  /** Whether the page may run scripts. [true] */
  readonly scripts?: boolean;
}

type Params = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: Params) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Map<string, (message: Message) => void>();
  #last = 0;

  static async start(path: string): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), 'shardctl-chromium-'));
    const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars'];
    const child = spawn(path, [...options, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const line of createInterface({ input: child.stderr as Readable })) {
      const url = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (url === undefined) continue;
      child.stderr?.resume();
      const socket = new WebSocket(url);
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve);
        socket.addEventListener('error', reject);
      });
      return new Chromium(child, profile, socket);
    }
    throw new Error('Chromium has ended before it could be reached');
  }

  private constructor(child: ChildProcess, profile: string, socket: WebSocket) {
    this.#child = child;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id === undefined) {
        this.#listeners.get(message.sessionId ?? '')?.(message);
        return;
      }
      const { resolve, reject } = this.#waiting.get(message.id) ?? {};
      this.#waiting.delete(message.id);
      if (message.error === undefined) resolve?.(message.result ?? {});
      else reject?.(new Error(message.error.message));
    });
  }

  /** Opens a page, and waits until it is loaded. */
  async open(url: string, look: Look): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = (await this.send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const page = new Page((method, params) => this.send(method, params, sessionId));
    this.#listeners.set(sessionId, (message) => page.take(message));
    await page.load(url, look);
    return page;
  }

  async send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    this.#last += 1;
    const id = this.#last;
    const answered = new Promise<Params>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    return await answered;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export class Page {
  /** Errors of scripts, refusals of the policy, requests that failed. */
  readonly errors: string[] = [];
  readonly #send: (method: string, params?: Params) => Promise<Params>;
  #loaded: () => void = () => {};

  constructor(send: (method: string, params?: Params) => Promise<Params>) {
    this.#send = send;
  }

  take({ method, params = {} }: Message): void {
    if (method === 'Page.loadEventFired') this.#loaded();
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded') this.errors.push(JSON.stringify(params.entry));
    if (method === 'Runtime.consoleAPICalled') this.errors.push(JSON.stringify(params.args));
  }

  async load(url: string, { width, scheme = 'light', scripts = true }: Look): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log']) await this.#send(`${domain}.enable`);
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 });
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    if (!scripts) await this.#send('Emulation.setScriptExecutionDisabled', { value: true });
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    await this.#send('Page.navigate', { url });
    await loaded;
  }

  /** The value of a JavaScript expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result } = (await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })) as {
      result: { value: T };
    };
    return result.value;
  }

  /** Resolves when an expression is true in the page. */
  async until(expression: string): Promise<void> {
    await this.value(`new Promise(done => { const look = () => (${expression}) ? done(true) : setTimeout(look, 50); look(); })`);
  }

  async close(): Promise<void> {
    await this.#send('Page.close');
  }

  /** Writes the whole page as a PNG. */
  async picture(file: string): Promise<void> {
    const { cssContentSize } = (await this.#send('Page.getLayoutMetrics')) as { cssContentSize: { width: number; height: number } };
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: Math.min(cssContentSize.height, 6000), scale: 1 };
    const whole = (await this.#send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip })) as { data: string };
    writeFileSync(file, Buffer.from(whole.data, 'base64'));
  }
}
