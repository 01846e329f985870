/** What the thread that counts ahead is asked, and what it says. */
import type { ByteString } from '../../core/model.ts';

export interface CountRequest {
  readonly source: ByteString;
  readonly filters: readonly ByteString[];
  readonly copyLinks: boolean;
}

/** What was counted so far, as in the event `scan`. */
export interface Count {
  files: number;
  directories: number;
  symlinks: number;
  bytes: number;
  done: boolean;
}
