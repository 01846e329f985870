/** For tests: a stream that keeps what is written to it, and can be a terminal. */
import { EventEmitter } from 'node:events';
import type { Sink } from '../cli/reporter/output.ts';

export class MemorySink extends EventEmitter implements Sink {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(terminal: { columns: number } | undefined = undefined) {
    super();
    this.isTTY = terminal !== undefined;
    this.columns = terminal?.columns ?? 0;
  }

  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
    done?.();
    return true;
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}
