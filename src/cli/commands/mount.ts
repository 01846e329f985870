/** `shardctl mount REF[/PATH] DIR`: show a tree as a directory of files, read-only, until it is told to stop. */
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { EXIT, messageOf } from '../../core/errors.ts';
import { warnings } from '../../core/events.ts';
import { type BlockId, snapshotName } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { DEFAULT_CONFIG } from '../../home/config.ts';
import { Index } from '../../index/index.ts';
import { unmountHint } from '../../mount/channel/mount-point.ts';
import { type Mount, mountTree } from '../../mount/mount.ts';
import { Troubles } from '../../mount/troubles.ts';
import { resolve } from '../../read/tree/tree.ts';
import { ServedHome } from '../../serve/home/served-home.ts';
import type { MirrorView } from '../../serve/mirror.ts';
import type { Context } from '../command-line/context.ts';
import { type Found, resolveRef } from '../command-line/ref.ts';
import { openPeers } from '../session/peers.ts';
import { settingsOfReadable } from '../session/session.ts';
import { settingsIn } from '../session/settings.ts';
import { refuseIntoOurs } from '../steps/our-places.ts';

/** As for `serve`: it lives for months, and what passes through it is garbage soon. */
const HEAP_GROWTH = '--heap-growing-percent=50';

export async function run(context: Context): Promise<number> {
  const { args, absolute, home, reporter, output, quiet, signal, onExit } = context;
  const [ref, dir] = [args.argument(0), absolute(args.argument(1))];
  const warn = warnings((event) => reporter.event(event));
  setFlagsFromString(HEAP_GROWTH);
  let config = await settingsOfReadable(context);
  refuseIntoOurs(context, config, dir);
  const views = await ServedHome.open({
    openIndex: () => Index.open(home.index, { readOnly: true }),
    openPeers: async () => {
      config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
      return await openPeers(context, config);
    },
    home,
    names: [],
    cache: home.cache,
    onTrouble: warn,
  });
  try {
    const shown = await inView(views, (view) => Shown.of(ref, view));
    const mount = await mountTree({
      root: shown.root,
      dir,
      source: `shardctl:${shown.title}`,
      owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      allowOther: args.flag('allow-other'),
      specialBits: shown.isOwn || args.flag('special-bits'),
      env: process.env,
      views,
      changes: shown.follows,
      totals: () => shown.totals,
      onTrouble: new Troubles(warn, 'more cannot be read: `shardctl verify --read-data` lists all damage').tell,
    });
    onExit(mount.abandon);
    const stopFollowing = shown.follows ? follow(ref, { views, mount, warn }) : () => {};
    if (!quiet) output.note(`${shown.title} is mounted on ${dir}; Ctrl-C or ${unmountHint(dir)}`);
    try {
      await untilEnd(mount, signal);
    } finally {
      stopFollowing();
    }
    for (const { pid, name } of signal.aborted ? await mount.unmount() : [])
      warn(`${name} (process ${pid}) was in ${dir}, and cannot read it any more`, `process ${pid}`);
    await mount.ended;
    return EXIT.done;
  } finally {
    await views.close();
  }
}

/** Resolves when the mount has ended, or it is asked to end. */
async function untilEnd({ ended }: Mount, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await Promise.race([ended, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))]);
}

interface Following {
  readonly views: ServedHome;
  readonly mount: Mount;
  readonly warn: (message: string, cause: string) => void;
}

/** After so long a head that could not be shown is tried again: a peer may be back. */
const AGAIN_MS = 30_000;

/** Shows each new head. @returns ends that */
function follow(ref: string, { views, mount, warn }: Following): () => void {
  let shown = Promise.resolve();
  let told = '';
  let hasEnded = false;
  let again: NodeJS.Timeout | undefined;
  const show = () => {
    clearTimeout(again);
    shown = shown.then(async () => {
      try {
        const { root } = await inView(views, (view) => Shown.of(ref, view));
        await mount.show(root);
        told = '';
      } catch (error) {
        // Each run that changes anything in the home is news: that the repository was renamed is said once.
        const message = messageOf(error);
        if (told !== message) warn(`cannot show ${ref} as it is now: ${message}; what was there before is shown on`, message);
        told = message;
        clearTimeout(again);
        if (!hasEnded) again = setTimeout(show, AGAIN_MS);
      }
    });
  };
  const ignore = views.onChange(show);
  return () => {
    hasEnded = true;
    clearTimeout(again);
    ignore();
  };
}

async function inView<T>(views: ServedHome, work: (view: MirrorView) => Promise<T>): Promise<T> {
  const view = views.acquire();
  try {
    return await work(view);
  } finally {
    views.release(view);
  }
}

/** What a reference leads to, now. */
class Shown {
  readonly #ref: string;
  readonly #found: Found;
  readonly root: BlockId;
  readonly isOwn: boolean;

  /** @throws ShardctlError `NOT_FOUND` */
  static async of(ref: string, view: MirrorView): Promise<Shown> {
    const found = resolveRef(ref, view.index);
    const { codec, digest } = await resolve(parseCid(found.snapshot.tree), found.path, view.blocks);
    const { repository, broughtBy } = found.snapshot;
    const isOwn = broughtBy === undefined && (view.index.repository(repository)?.source ?? '') !== '';
    return new Shown(ref, found, { codec, digest }, isOwn);
  }

  private constructor(ref: string, found: Found, root: BlockId, isOwn: boolean) {
    this.#ref = ref;
    this.#found = found;
    this.root = root;
    this.isOwn = isOwn;
  }

  /** Whether it is the head of a repository, whatever that is. A date is taken for the snapshot that it means at the start. */
  get follows(): boolean {
    return this.#ref.split('/')[0] === this.#found.snapshot.repository;
  }

  get title(): string {
    return this.follows ? this.#ref : [snapshotName(this.#found.snapshot), ...this.#ref.split('/').slice(1)].join('/');
  }

  get totals(): { readonly bytes: number; readonly entries: number } {
    const { bytes, counts } = this.#found.snapshot;
    return { bytes, entries: counts.files + counts.directories + counts.symlinks };
  }
}
