/** The status page as HTML: what is served, how it stands, and how to use it. */
import { createHash } from 'node:crypto';
import { EXIT } from '../../core/errors.ts';
import { formatCount } from '../../home/sizes.ts';
import { freeTogether } from '../../maintain/figures/free-together.ts';
import { encodeName } from '../paths/address.ts';
import { escapeHtml } from '../paths/page.ts';
import { clientLines } from './client-lines.ts';
import type { HomeState, MaintenanceState, PeerState, RepositoryState } from './home-state.ts';
import { ago, bar, count, safe, size, span } from './html.ts';
import { SCRIPT, STYLE } from './page-style.ts';
import { plot } from './plot.ts';
import { type Finding, findingOf, meaningOf, type Trouble, troublesOf } from './troubles.ts';

export interface PageOptions {
  readonly state: HomeState;
  /** The part of `running-part.ts`. */
  readonly running: string;
  /** The one repository that is asked for; undefined for all. */
  readonly only: RepositoryState | undefined;
  /** Of this server, as the client has named it. */
  readonly origin: string;
  /** There are repositories that are shown to holders of a token only. */
  readonly canSignIn: boolean;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** With more repositories than this each has one line, and a page of its own. */
export const MOST_CARDS = 8;
/** Notes beyond these are counted: a dead peer of 500 repositories makes 500. */
const MOST_NOTES = 8;

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing runs here but the script of this page, and nothing is fetched from elsewhere. The one image is the icon. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hash(STYLE)}`,
  `script-src ${hash(SCRIPT)}`,
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function page(options: PageOptions): string {
  const { state, running, only, canSignIn, version, now } = options;
  const troubles = troublesOf(state, now);
  const title = only === undefined ? 'shardctl' : safe(only.name);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>
<body><div class="wrap"><div id="summary">${summary(options, troubles)}</div>
<div id="running">${running}</div>
<main id="state" data-version="${state.version}">${only === undefined ? overview(options) : `<h2>Repository</h2>${card(only, options, true)}`}</main>
<footer><span>shardctl ${safe(version)}</span><a href="/metrics">metrics</a>${canSignIn ? '<a href="/?sign-in">sign in</a>' : ''}<span>as of ${new Date(now).toISOString().slice(0, 19).replace('T', ' ')} UTC</span></footer></div>
<script>${SCRIPT}</script></body></html>
`;
}

function summary({ only, state, now }: PageOptions, troubles: readonly Trouble[]): string {
  const bad = troubles.filter(({ level }) => level === 'bad').length;
  const level = bad > 0 ? 'bad' : troubles.length > 0 ? 'warn' : 'ok';
  const words = state.version === 0 ? 'looking' : troubles.length === 0 ? 'all is well' : `${count(troubles.length, 'thing')} to look at`;
  const pill = `<span class="pill ${state.version === 0 ? 'go' : level}">${words}</span>`;
  const checked = state.lastLocked === undefined ? '' : `<span class="small dim">last run ${ago(state.lastLocked, now)}</span>`;
  const heading = only === undefined ? 'Package mirrors on IPFS' : `<a href="/">Mirrors</a> / ${safe(only.name)}`;
  const notes = troubles.slice(0, MOST_NOTES).map((trouble) => `<li class="${trouble.level}">${trouble.text}</li>`);
  const more = troubles.length - notes.length;
  if (more > 0) notes.push(`<li class="warn">and ${formatCount(more)} more: <code>shardctl status</code></li>`);
  return `<header><h1>${heading}</h1>${pill}${checked}</header>${notes.length === 0 || only !== undefined ? '' : `<ul class="notes">${notes.join('')}</ul>`}`;
}

function overview(options: PageOptions): string {
  const { state } = options;
  const { repositories, peers, maintenance } = state;
  if (state.version === 0) return '<p class="card dim">Looking at the home. This page shows it in a moment.</p>';
  const shown =
    repositories.length > MOST_CARDS
      ? `<div class="card rows">${repositories.map((repository) => line(repository, options)).join('')}</div>`
      : repositories.map((repository) => card(repository, options, repositories.length === 1)).join('');
  const none = '<p class="card dim">No repository is served here. <code>shardctl add DIR</code> makes one.</p>';
  return [
    facts(state),
    `<h2>Repositories</h2>${repositories.length === 0 ? none : shown}`,
    peers.length === 0 ? '' : `<h2>Peers</h2><div class="zones">${zones(peers)}</div>`,
    maintenance.length === 0
      ? ''
      : `<h2>Care</h2><div class="care">${maintenance.map((one) => care(one, findingOf(one, maintenance), options.now)).join('')}</div>`,
  ].join('\n');
}

function facts({ repositories, peers }: HomeState): string {
  const sum = (of: (repository: RepositoryState) => number) => repositories.reduce((total, repository) => total + of(repository), 0);
  const free = freeTogether(peers.map(({ metric }) => metric));
  const answering = peers.filter(({ error }) => error === undefined).length;
  const all: [string, string][] = [
    ['Repositories', formatCount(repositories.length)],
    ['Files', formatCount(sum(({ head }) => head.counts.files))],
    ['Size', size(sum(({ head }) => head.bytes))],
    ['Snapshots', formatCount(sum(({ snapshots }) => snapshots))],
    ['Peers', answering === peers.length ? formatCount(peers.length) : `${formatCount(answering)} of ${formatCount(peers.length)}`],
    [free.sharedDisks > 0 ? 'Free, each disk counted once' : 'Free', size(free.bytes)],
  ];
  return `<dl class="facts">${all.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

/** What a repository is, in one line: how large, how old. */
function card(repository: RepositoryState, { origin, now }: PageOptions, isOpen: boolean): string {
  const { name, head, snapshots, points, kind } = repository;
  const address = encodeName(name, undefined);
  const tool = kind.tool === undefined ? '' : `<span class="pill go">${kind.tool}</span>`;
  const facts = [
    `<b>${formatCount(head.counts.files)}</b> files`,
    `<b>${size(head.bytes)}</b>`,
    count(head.shards.length, 'shard'),
    `<a href="${safe(address.replace(/\/$/, '@/'))}">${count(snapshots, 'snapshot')}</a>`,
  ];
  return `<section class="card"><div class="top"><h3><a href="${safe(address)}">${safe(name)}</a></h3>${tool}</div>
<p class="meta dot-sep">${facts.map((fact) => `<span>${fact}</span>`).join('')}</p>
<p class="meta dot-sep">${lastChange(repository, now)}</p>
${plot(points)}
<details id="${safe(`use-${name}`)}"${isOpen ? ' open' : ''}><summary>How to use it</summary>${clientLines(repository, origin).map(lines).join('')}</details></section>`;
}

function lastChange({ head, runs, points }: RepositoryState, now: number): string {
  const run = runs.findLast(({ number }) => number === head.number);
  const newBytes = run?.newBytes ?? points.at(-1)?.newBytes;
  const parts = [
    `last change ${ago(Date.parse(head.time), now)} (@${head.number})`,
    ...(run?.changedEntries === undefined ? [] : [`${count(run.changedEntries, 'entry', 'entries')} changed`]),
    ...(newBytes === undefined ? [] : [`${size(newBytes)} new`]),
    ...(run === undefined ? [] : [`took ${span(run.seconds)}`]),
    ...(run === undefined || run.exitCode === EXIT.done ? [] : [meaningOf(run.exitCode)]),
  ];
  return parts.map((part) => `<span>${part}</span>`).join('');
}

function lines({ title, file, lines: text }: ReturnType<typeof clientLines>[number]): string {
  const where = file === undefined ? '' : ` in ${safe(file)}`;
  return `<div class="use"><p><b>${title}</b>${where}</p><div class="code"><pre>${text.map(escapeHtml).join('\n')}</pre><button type="button">Copy</button></div></div>`;
}

function line({ name, head, figures, failure }: RepositoryState, { now }: PageOptions): string {
  const state =
    failure !== undefined
      ? `<span class="bad">${meaningOf(failure.exitCode)}</span>`
      : figures.underReplicated > 0
        ? `<span class="warn">${count(figures.underReplicated, 'shard')} on too few peers</span>`
        : `<span>${ago(Date.parse(head.time), now)}</span>`;
  return `<div class="row"><b><a href="/?repository=${safe(encodeURIComponent(name))}">${safe(name)}</a></b><span>${formatCount(head.counts.files)} files</span><span>${size(head.bytes)}</span>${state}</div>`;
}

/** Peers by their tag `zone`; those without one together, and last. */
function zones(peers: readonly PeerState[]): string {
  const byZone = new Map<string, PeerState[]>();
  for (const peer of peers.toSorted((a, b) => (zoneOf(a) < zoneOf(b) ? -1 : 1)))
    byZone.set(zoneOf(peer), [...(byZone.get(zoneOf(peer)) ?? []), peer]);
  const named = [...byZone].filter(([zone]) => zone !== '');
  const without = byZone.get('');
  const only = named.length === 0;
  return [...named, ...(without === undefined ? [] : [['', without] as const])]
    .flatMap(([zone, members]) =>
      only ? members.map((peer) => `<section class="card">${peerPart(peer)}</section>`) : [zonePart(zone, members)],
    )
    .join('');
}

function zoneOf({ tags }: PeerState): string {
  return tags.zone ?? '';
}

function zonePart(zone: string, peers: readonly PeerState[]): string {
  const heading = zone === '' ? 'without a zone' : `<span class="dim">zone</span> ${safe(zone)}`;
  const used = peers.reduce((sum, { metric }) => sum + (metric?.usedBytes ?? 0), 0);
  const free = freeTogether(peers.map(({ metric }) => metric)).bytes;
  const total = peers.length > 1 ? `<span class="small dim">${size(used)} of ${size(used + free)}</span>` : '';
  return `<section class="card zone"><div class="top"><h4>${heading}</h4>${total}</div>${peers.map(peerPart).join('')}</section>`;
}

function peerPart({ name, metric, shards, drained, error }: PeerState): string {
  const state = error !== undefined ? '<span class="pill bad">no answer</span>' : drained ? '<span class="pill warn">drained</span>' : '';
  if (metric === undefined) {
    return `<div class="peer"><div class="top"><b>${safe(name)}</b>${state}</div><p>${count(shards, 'shard')}</p></div>`;
  }
  const { usedBytes, freeBytes } = metric;
  const part = usedBytes + freeBytes === 0 ? 0 : usedBytes / (usedBytes + freeBytes);
  const percent = `${Math.round(part * 100)} %`;
  return `<div class="peer"><div class="top"><b>${safe(name)}</b>${state === '' ? `<span class="small dim">${percent}</span>` : state}</div>${bar(part, `${name}: ${percent} full`, 'fill')}<p>${size(usedBytes)} used, ${size(freeBytes)} free, ${count(shards, 'shard')}</p></div>`;
}

const CARE: Readonly<Record<string, (figures: Readonly<Record<string, number>>) => string>> = {
  verify: ({ verifyShards: shards = 0, verifyReadBytes: bytes = 0, verifyDamaged: damaged = 0 }) =>
    `${count(shards, 'shard')} looked at, ${bytes > 0 ? `${size(bytes)} read back, ` : ''}${damaged === 0 ? 'no damage' : count(damaged, 'finding')}`,
  repair: ({ repairMended: mended = 0, repairAdded: added = 0, repairLost: lost = 0 }) =>
    `${count(mended, 'replica')} mended, ${formatCount(added)} added${lost > 0 ? `, ${count(lost, 'shard')} with losses` : ''}`,
  prune: ({ pruneFreed: freed = 0, pruneUnused: unused = 0 }) => `${size(freed)} freed, ${size(unused)} unused left`,
};

function care([command, { ended, exitCode, seconds, figures }]: MaintenanceState, finding: Finding, now: number): string {
  const level = finding === 'stands' ? 'bad' : 'warn';
  const state = exitCode === EXIT.done || finding === 'settled' ? '' : `<span class="pill ${level}">${exitCode}</span>`;
  const what = exitCode === EXIT.done || exitCode === EXIT.damage ? (CARE[command]?.(figures) ?? '') : meaningOf(exitCode);
  return `<section class="card"><div class="top"><h4>${command}</h4>${state}</div><p class="meta">${ago(Date.parse(ended), now)}, took ${span(seconds)}</p><p class="meta">${what}</p></section>`;
}
