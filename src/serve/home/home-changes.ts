/**
 * Notices that another run has changed the home, by looking at a few files twice a second: not every file system tells of changes.
 *
 * A new head and new settings are news at once. What else a run writes is news when it has come to rest, or after ten seconds of
 * changes: an update writes the tables with each shard that it places, and nobody reads those shards before it commits. All news comes
 * again when it has come to rest: times of files are coarse, and what was written within the tick of the first look has the same times.
 */
import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomePaths } from '../../home/home.ts';

const LOOK_MS = 500;
/** Looks that each find another change before it is news. */
const MOST_CHANGES = 20;

/** What the files look like. */
interface Looks {
  /** Heads and settings. */
  readonly urgent: string;
  readonly settings: string;
  readonly other: string;
}

export interface HomeNews {
  /** The settings have changed, too. */
  readonly settings: boolean;
}

export type WatchedHome = Pick<HomePaths, 'config' | 'heads' | 'index'>;

export class HomeChanges {
  readonly #home: WatchedHome;
  readonly #onNews: (news: HomeNews) => Promise<void>;
  #seen: Looks;
  /** The settings at the last news. */
  #settings: string;
  /** Looks since the last rest that have found another change. */
  #changes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param onNews is not called again before it has resolved */
  static async watch(home: WatchedHome, onNews: (news: HomeNews) => Promise<void>): Promise<HomeChanges> {
    const changes = new HomeChanges(home, onNews, await looksOf(home));
    changes.#lookLater();
    return changes;
  }

  private constructor(home: WatchedHome, onNews: (news: HomeNews) => Promise<void>, seen: Looks) {
    this.#home = home;
    this.#onNews = onNews;
    this.#seen = seen;
    this.#settings = seen.settings;
    // What was written while the first look was taken is news at the first rest.
    this.#changes = 1;
  }

  /** Looks at once. */
  async look(): Promise<void> {
    const before = this.#seen;
    const now = await looksOf(this.#home);
    this.#seen = now;
    const isUrgent = now.urgent !== before.urgent;
    if (isUrgent || now.other !== before.other) {
      this.#changes++;
      if (isUrgent || this.#changes % MOST_CHANGES === 0) await this.#tell(now);
    } else if (this.#changes > 0) {
      this.#changes = 0;
      await this.#tell(now);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #tell({ settings }: Looks): Promise<void> {
    const news = { settings: settings !== this.#settings };
    this.#settings = settings;
    await this.#onNews(news);
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.look().finally(() => this.#lookLater()), LOOK_MS).unref();
  }
}

async function looksOf({ config, heads, index }: WatchedHome): Promise<Looks> {
  const [settings, headNames, ...other] = await Promise.all(
    [config, heads, index, join(index, 'blocks'), join(index, 'tables', 'data.mdb')].map(lookOf),
  );
  return { settings: settings ?? '', urgent: `${settings} ${headNames}`, other: other.join(' ') };
}

/** A file that is replaced has another number, a directory another time with each name that comes or goes. */
async function lookOf(path: string): Promise<string> {
  try {
    return textOf(await stat(path, { bigint: true }));
  } catch {
    return NO_LOOK;
  }
}

/** As `lookOf`, for who cannot wait. It takes two microseconds. */
export function lookNow(path: string): string {
  try {
    return textOf(statSync(path, { bigint: true }));
  } catch {
    return NO_LOOK;
  }
}

/** It is not there, or cannot be looked at now. */
const NO_LOOK = '-';

function textOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}
