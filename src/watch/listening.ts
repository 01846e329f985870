/** Hears what changes in one source: a watched tree, fed with the events of its instance of inotify. */

import { errnoName } from '../core/errno.ts';
import { Turns } from '../core/event-loop.ts';
import { type LinuxCalls, linuxCalls } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';
import { openSource, type SourceRoot, statSource } from '../source/source.ts';
import { compileFilter } from '../update/scan/filter.ts';
import { Changes } from './changes.ts';
import type { EventDesk } from './event-desk.ts';
import { Inotify } from './inotify.ts';
import { placesOf } from './places.ts';
import { type Doubt, WatchedTree } from './watched-tree.ts';

export interface ListeningOptions {
  /** Absolute path. */
  readonly source: ByteString;
  readonly filters: readonly ByteString[];
  readonly desk: EventDesk;
  /** Told of a name that has come. */
  readonly onCame: (directory: ByteString, name: ByteString) => void;
  /** Called when something has changed, or has become doubtful. */
  readonly onHeard: () => void;
  readonly signal: AbortSignal;
}

/** So much is read in one turn: others get theirs although events come without end. */
const MOST_READS = 64;

export class Listening {
  readonly #options: ListeningOptions;
  readonly #inotify: Inotify;
  readonly #tree: WatchedTree;
  readonly #root: SourceRoot;
  readonly #calls: LinuxCalls | undefined = linuxCalls();
  #changes = new Changes();
  #watching: Promise<void> | undefined;

  /** @returns the errno when there may be no further instance @throws ShardctlError when the source is not there */
  static begin(options: ListeningOptions): Listening | string {
    const root = statSource(options.source);
    const inotify = Inotify.open(options.desk.calls);
    return typeof inotify === 'number' ? errnoName(-inotify) : new Listening(options, root, inotify);
  }

  private constructor(options: ListeningOptions, root: SourceRoot, inotify: Inotify) {
    const { source, filters, desk, onCame } = options;
    this.#options = options;
    this.#root = root;
    this.#inotify = inotify;
    this.#tree = new WatchedTree({
      filter: compileFilter(filters),
      watches: inotify,
      places: placesOf(source),
      changes: () => this.#changes,
      onCame,
    });
    desk.add(inotify.descriptor, () => this.#hear());
  }

  get doubt(): Doubt | undefined {
    return this.#tree.doubt;
  }

  /** Directories that are watched. */
  get count(): number {
    return this.#tree.count;
  }

  /** What has changed is known as a list of names. */
  get canTell(): boolean {
    return this.#tree.doubt === undefined && !this.#tree.isTwofold && !this.#changes.isTooMuch;
  }

  /** Resolves when every directory is watched that is known by then, or the tree is in doubt. */
  async complete(): Promise<void> {
    this.#hear();
    while (this.#watching !== undefined) await this.#watching;
  }

  /** Whether the source's path still leads to the directory that is watched. */
  isAtItsPlace(): boolean {
    try {
      const { device, inode } = statSource(this.#options.source);
      return device === this.#root.device && inode === this.#root.inode;
    } catch {
      return false;
    }
  }

  /** What has changed since this was called last, and forgets it. */
  take(): Changes {
    const changes = this.#changes;
    this.#changes = new Changes();
    return changes;
  }

  async end(): Promise<void> {
    // Nothing that is still to come counts, and nothing more is watched.
    this.#tree.giveUp('ended');
    await this.#options.desk.remove(this.#inotify.descriptor);
    this.#inotify.close();
  }

  #hear(): void {
    const { tellings } = this.#changes;
    for (let i = 0; i < MOST_READS; i++) {
      const events = this.#inotify.read();
      if (events.length === 0) break;
      for (const event of events) this.#tree.take(event);
    }
    if (!this.#tree.isComplete) this.#watching ??= this.#watchAll();
    if (this.#changes.tellings !== tellings || this.#tree.doubt !== undefined) this.#options.onHeard();
  }

  /** The source is open only as long as this takes: nobody could unmount it otherwise. */
  async #watchAll(): Promise<void> {
    const turns = new Turns(this.#options.signal);
    try {
      const source = openSource(this.#options.source, this.#calls);
      try {
        if (source.device !== this.#root.device || source.inode !== this.#root.inode) this.#tree.giveUp('source moved');
        while (!this.#tree.isComplete) {
          this.#tree.watchNext(source.reach);
          await turns.give();
        }
      } finally {
        source.close();
      }
    } catch {
      // Whatever it is: the update that looks at everything says it.
      this.#tree.giveUp('source moved');
    } finally {
      this.#watching = undefined;
    }
    if (this.#tree.doubt !== undefined) this.#options.onHeard();
  }
}
