/** stdout for results, stderr for everything else; a reader that goes away is no error. */

import { displayJson, displayLine, displayPath, shellWord } from '../../core/display.ts';
import { EXIT, errnoOf, outputError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';

/** A command that a line tells people to run, between backticks. Its help is the same in every home. */
const COMMAND = /`shardctl (?![^`]*--help`)/g;

/** As much of a stream as is needed here: tests pass their own. */
export interface Sink {
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  once(event: 'drain' | 'error', listener: (error: Error) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export class Output {
  readonly stderr: Sink;
  readonly #stdout: Sink;
  #closed = false;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #homeOption = '';
  #isWide = false;
  #makeRoom: () => void = () => {};

  constructor(stdout: Sink, stderr: Sink) {
    this.#stdout = stdout;
    this.stderr = stderr;
    stdout.on('error', (error) => {
      // `shardctl ls … | head`: the rest is not wanted, and an import must not die of it. Anything else (a full disk) is a failure.
      if (errnoOf(error) !== 'EPIPE') this.#failure = error;
      this.#closed = true;
      this.#wake?.();
    });
    stderr.on('error', () => {});
  }

  /** Whoever read stdout has gone: commands that only print may stop. */
  get closed(): boolean {
    return this.#closed;
  }

  /** For what would do harm to a terminal, and is of no use there. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** How wide lines of results should be at most; undefined where they have all the room: in a pipe, in a file, and after `--wide`. */
  get columns(): number | undefined {
    return this.isTerminal && !this.#isWide ? (this.#stdout.columns ?? 80) : undefined;
  }

  /** @param makeRoom takes away what is drawn on the terminal: called before anything else is written there */
  drawnOver(makeRoom: () => void): void {
    this.#makeRoom = makeRoom;
  }

  /** For `--wide`. */
  showAll(): void {
    this.#isWide = true;
  }

  /**
   * Has every command in the lines that follow name this home, so that it works as it stands when somebody copies it. For a run that
   * was told its home by `--home`: SHARDCTL_HOME holds for the copied command, too. JSON stays as it is.
   * @param dir absolute path
   */
  nameHome(dir: string): void {
    this.#homeOption = `--home ${shellWord(displayPath(toBytes(dir)))} `;
  }

  /** Text as people are shown it: control characters and the like are escaped here, where text becomes output. */
  shown(text: string): string {
    const named = this.#homeOption === '' ? text : text.replaceAll(COMMAND, (command) => command + this.#homeOption);
    return displayLine(named);
  }

  /** One line of results, as `shown`. */
  line(text: string): void {
    this.#write(this.shown(text));
  }

  /** One line about an entry of the source: what looks like a command in its name is none. */
  entry(text: string): void {
    this.#write(displayLine(text));
  }

  json(value: unknown): void {
    this.#write(jsonLine(value));
  }

  #write(line: string): void {
    if (this.isTerminal) this.#makeRoom();
    if (!this.#closed) this.#stdout.write(`${line}\n`);
  }

  /** A name or a record of a list that may be long: a slow reader holds the sender back. */
  async item(value: string | object): Promise<void> {
    await this.bytes(Buffer.from(`${typeof value === 'string' ? displayLine(value) : jsonLine(value)}\n`));
  }

  /** Raw bytes; resolves when there is room for more, so that a slow reader holds the sender back. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (this.isTerminal) this.#makeRoom();
    if (this.#closed || this.#stdout.write(chunk)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stdout.once('drain', () => resolve());
    });
  }

  /** How a command ends whose result is bytes: whoever has a part of them has not got what was asked for. */
  async exitOfBytes(): Promise<number> {
    await this.flushed();
    return this.#closed ? EXIT.unheard : EXIT.done;
  }

  /** One line of whatever is not a result, as `shown`. */
  note(text: string): void {
    this.#makeRoom();
    this.stderr.write(`${this.shown(text)}\n`);
  }

  /** @throws ShardctlError `NO_SPACE` or `IO` when results could not be written */
  async assertWritten(): Promise<void> {
    await this.flushed();
    if (this.#failure !== undefined) throw outputError(this.#failure, 'writing the results', 'standard output');
  }

  /** Resolves when everything written so far has left the process: a pipe takes its time. */
  async flushed(): Promise<void> {
    const left = (sink: Sink) => new Promise<void>((resolve) => sink.write('', () => resolve()));
    await Promise.all([this.#closed ? undefined : left(this.#stdout), left(this.stderr)]);
  }
}

function jsonLine(value: unknown): string {
  return displayJson(JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner)));
}
