/** The state of the home as one request may see it, and what of it is rendered once for many requests. */
import { gzipSync } from 'node:zlib';
import type { RunningRun } from '../../home/runs/running.ts';
import { Readings } from '../../maintain/figures/gauges.ts';
import { addCommand, addHead, addLastRuns, addPeers } from '../../maintain/figures/home-readings.ts';
import type { Access, Asker } from '../access/access.ts';
import { type Family, plain, textOf } from './exposition.ts';
import type { HomeState, HomeStates } from './home-state.ts';
import { MOST_CARDS, page } from './page.ts';
import { runningPart } from './running-part.ts';
import type { StatusSource } from './status-source.ts';

/** Times on the page, such as "3 min ago", may be as old as this. */
const PAGE_MS = 15_000;
/** Pages that are kept: of requests that may see different things, and have named this server differently. */
const MOST_PAGES = 32;

export interface RenderedPage {
  readonly html: Buffer;
  readonly gzip: Buffer;
}

export interface StatusViewOptions {
  readonly states: HomeStates;
  readonly access: Access;
  readonly source: StatusSource;
}

export class StatusView {
  readonly #options: StatusViewOptions;
  #pages = new Map<string, RenderedPage>();
  #pagesOf = '';
  #metrics = new Map<string, Promise<string>>();
  #metricsOf = -1;

  constructor(options: StatusViewOptions) {
    this.#options = options;
  }

  /** Names what this request may see: requests with the same key are answered the same. */
  keyFor(asker: Asker): string {
    const { access, states } = this.#options;
    if (!access.isRestricted) return '';
    return JSON.stringify(states.state.repositories.flatMap(({ name }) => (access.mayRead(asker, name) ? [name] : [])));
  }

  stateFor(asker: Asker): HomeState {
    const { access, states } = this.#options;
    const { state } = states;
    if (!access.isRestricted) return state;
    return { ...state, repositories: state.repositories.filter(({ name }) => access.mayRead(asker, name)) };
  }

  /** Undefined when there is no such repository for this request. @param only name of the one that is asked for */
  page(asker: Asker, origin: string, only: string | undefined): RenderedPage | undefined {
    const { access, source, states } = this.#options;
    const now = source.now();
    const current = `${states.state.version} ${Math.floor(now / PAGE_MS)}`;
    if (current !== this.#pagesOf || this.#pages.size >= MOST_PAGES) this.#pages = new Map();
    this.#pagesOf = current;
    const running = this.running(asker);
    // With many repositories the lines to copy, which have the address of the server in them, are on pages of their own.
    const shownOrigin = only === undefined && states.state.repositories.length > MOST_CARDS ? '' : origin;
    const key = JSON.stringify([this.keyFor(asker), shownOrigin, only, running]);
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const state = this.stateFor(asker);
    const repository = only === undefined ? undefined : state.repositories.find(({ name }) => name === only);
    if (only !== undefined && repository === undefined) return undefined;
    const html = Buffer.from(
      page({ state, running, only: repository, origin, canSignIn: access.isRestricted, version: source.version, now }),
    );
    const rendered = { html, gzip: gzipSync(html) };
    this.#pages.set(key, rendered);
    return rendered;
  }

  /** What is running now, as HTML. */
  running(asker: Asker, runs: readonly RunningRun[] = this.#options.source.running()): string {
    const { access, source, states } = this.#options;
    const files = new Map(states.state.repositories.map(({ name, head }) => [name, head.counts.files]));
    const shown = runs.flatMap((run) => {
      const name = run.state?.repository;
      if (name === undefined) return [{ run, expectedFiles: undefined }];
      return access.mayRead(asker, name) ? [{ run, expectedFiles: files.get(name) }] : [];
    });
    return runningPart(shown, source.now());
  }

  /** The gauges of the home, as text: rendered once for each state, as with 500 repositories that takes 20 ms. */
  metrics(asker: Asker, format: string): Promise<string> {
    const { version } = this.#options.states.state;
    if (version !== this.#metricsOf || this.#metrics.size >= MOST_PAGES) this.#metrics = new Map();
    this.#metricsOf = version;
    const key = `${format} ${this.keyFor(asker)}`;
    const text = this.#metrics.get(key) ?? textOf(plain(this.#families(asker)), format);
    this.#metrics.set(key, text);
    return text;
  }

  #families(asker: Asker): Family[] {
    const { repositories, peers, maintenance, lastLocked } = this.stateFor(asker);
    const readings = new Readings();
    for (const { name, head, figures, snapshots, heldBack, runs, failure } of repositories) {
      addHead(readings, head, figures);
      readings.add('snapshots', { repository: name }, snapshots);
      readings.add('heldBack', { repository: name }, heldBack);
      addLastRuns(readings, name, runs, failure);
    }
    addPeers(
      readings,
      peers.filter(({ metric, error }) => metric !== undefined || error !== undefined),
    );
    if (lastLocked !== undefined) readings.add('homeLastRun', {}, lastLocked / 1000);
    for (const [command, record] of maintenance) addCommand(readings, command, record, record.figures);
    return [...readings.families()].map((family) => ({ ...family, type: 'gauge' as const, aggregator: 'first' as const }));
  }
}
