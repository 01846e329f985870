/** Listings of directories as text: a page for people, which `rclone` and `wget -r` read as well, and JSON for programs. */
import { displayPath } from '../../core/display.ts';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { formatSize } from '../../home/sizes.ts';
import { encodeName, encodePath } from './address.ts';
import type { Row } from './listing.ts';
import { escapeHtml, pageEnd, pageHead } from './page.ts';
import type { ListingBody } from './path-gateway.ts';

/** Characters that are gathered before they are sent. */
const PIECE = 16 * 1024;

/** @param rows of the directory, of which the first may have been waited for already */
export async function* listingText(listing: ListingBody, rows: AsyncIterable<Row>): AsyncGenerator<string, void, void> {
  const form = listing.form === 'json' ? jsonForm() : htmlForm(listing);
  let piece = form.head;
  let count = 0;
  for await (const row of rows) {
    piece += form.row(row, count++);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield piece + form.end(count);
}

interface Form {
  readonly head: string;
  row(row: Row, at: number): string;
  end(count: number): string;
}

function htmlForm({ repository: { name }, address: { when, path }, directory }: ListingBody): Form {
  const top = encodeName(name, when);
  const shown = when === undefined ? name : `${name}@${when}`;
  const up =
    path === ''
      ? '<tr><td><a href="/">../</a></td><td></td><td class="w"></td></tr>\n'
      : '<tr><td><a href="../">../</a></td><td></td><td class="w"></td></tr>\n';
  return {
    head: `${pageHead(`${shown}/${displayPath(path)}`, crumbs(shown, top, path))}<table><thead><tr><th>Name</th><th class="n">Size</th><th class="n w">Modified (UTC)</th></tr></thead><tbody>\n${up}`,
    row: htmlRow,
    end: (count) =>
      `</tbody></table>\n${pageEnd(
        `${count === 1 ? '1 entry' : `${count} entries`} · <a href="${top.slice(0, -1).replace(/@[^@]*$/, '')}@/">snapshots</a> · JSON: <code>?list&amp;format=json</code> · ${cidText(directory, 1)}`,
      )}`,
  };
}

/** The path, each part of it a link. */
function crumbs(shown: string, top: string, path: ByteString): string {
  let at = top;
  const parts = path.split('/').filter((part) => part !== '');
  const links = parts.map((part) => {
    at += `${encodePath(part)}/`;
    return `<a href="${at}">${escapeHtml(displayPath(part))}</a>/`;
  });
  return `<a href="${top}">${escapeHtml(shown)}</a>/${links.join('')}`;
}

function htmlRow({ name, kind, size, mtimeNs, target, leadsTo, isUnreadable }: Row): string {
  const slash = leadsTo === DIRECTORY || kind === DIRECTORY ? '/' : '';
  const text = `${escapeHtml(displayPath(name))}${slash}`;
  const link = leadsTo === undefined ? text : `<a href="${encodePath(name)}${slash}">${text}</a>`;
  const arrow = target === undefined ? '' : ` <span class="d">→ ${escapeHtml(displayPath(target))}</span>`;
  const bytes = size === undefined ? '' : `<span title="${size}">${formatSize(size)}</span>`;
  const unreadable = isUnreadable === true ? ' <span class="d">cannot be read</span>' : '';
  return `<tr><td>${link}${arrow}${unreadable}</td><td class="n">${bytes}</td><td class="n w">${timeText(mtimeNs)}</td></tr>\n`;
}

const KINDS = { [FILE]: 'file', [DIRECTORY]: 'directory', 3: 'symlink' } as const;

function jsonForm(): Form {
  return {
    head: '[',
    row: ({ name, id, kind, size, mtimeNs, target, leadsTo, isUnreadable }, at) => {
      const slash = leadsTo === DIRECTORY || kind === DIRECTORY ? '/' : '';
      const row = {
        name: displayPath(name),
        type: KINDS[kind],
        ...(leadsTo === undefined ? {} : { href: `${encodePath(name)}${slash}` }),
        ...(size === undefined ? {} : { size }),
        ...(mtimeNs === undefined ? {} : { mtime: isoTime(mtimeNs) }),
        ...(target === undefined ? {} : { target: displayPath(target) }),
        cid: cidText(id, 1),
        ...(isUnreadable === true ? { unreadable: true } : {}),
      };
      return `${at === 0 ? '\n' : ',\n'}${JSON.stringify(row)}`;
    },
    end: () => '\n]\n',
  };
}

/** Last millisecond that a Date can hold, in the year 275760. */
const MOST_DATE_MS = 8_640_000_000_000_000n;

/** RFC 3339 to the millisecond; undefined for a time that no calendar has. */
function isoTime(mtimeNs: bigint): string | undefined {
  const ms = mtimeNs / 1_000_000n;
  return ms > MOST_DATE_MS || ms < -MOST_DATE_MS ? undefined : new Date(Number(ms)).toISOString();
}

function timeText(mtimeNs: bigint | undefined): string {
  const iso = mtimeNs === undefined ? undefined : isoTime(mtimeNs);
  return iso === undefined ? '' : iso.slice(0, -8).replace('T', ' ');
}
