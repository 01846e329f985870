/** `/NAME@/`: the snapshots of a repository, newest first, with the addresses under which they stay readable. */
import type { SnapshotRecord } from '../../core/model.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { compactTime } from '../../snapshot/snapshot-date.ts';
import { tagsOf } from '../../snapshot/tag.ts';
import type { ServedRepository } from '../mirror.ts';
import { encodeName } from './address.ts';
import type { ListingForm } from './listing.ts';
import { escapeHtml, pageEnd, pageHead } from './page.ts';

export function snapshotsText({ name, snapshots, tags }: ServedRepository, form: ListingForm): string {
  const newestFirst = snapshots.toReversed();
  if (form === 'json')
    return `${JSON.stringify(
      newestFirst.map((snapshot) => ({ ...jsonOf(snapshot), tags: tagsOf(tags, snapshot.number) })),
      null,
      2,
    )}\n`;
  const rows = newestFirst.map((snapshot) => rowOf(snapshot, tagsOf(tags, snapshot.number))).join('');
  return `${pageHead(`${name}@`, `Snapshots of <a href="${encodeName(name, undefined)}">${escapeHtml(name)}</a>`)}<table><thead><tr><th>Snapshot</th><th>Time (UTC)</th><th class="n">Files</th><th class="n">Size</th></tr></thead><tbody>
${rows}</tbody></table>
${pageEnd(`A date leads to the newest snapshot that is not younger, a day to what was there at its end: <code>${escapeHtml(encodeName(name, '2026-11-25'))}</code>. All times are UTC.`)}`;
}

function jsonOf({ repository, number, time, cid, tree, counts, bytes }: SnapshotRecord): object {
  return { repository, number, time, href: encodeName(repository, String(number)), cid, tree, ...counts, bytes };
}

function rowOf({ repository, number, time, counts, bytes }: SnapshotRecord, tags: readonly string[]): string {
  const [byNumber, byTime] = [String(number), compactTime(time)].map((when) => encodeName(repository, when));
  const byTag = tags.map((tag) => ` <a href="${encodeName(repository, tag)}">${escapeHtml(tag)}</a>`).join('');
  return `<tr><td><a href="${byNumber}">${escapeHtml(`${repository}@${number}`)}</a>${byTag}</td><td><a href="${byTime}">${escapeHtml(time.slice(0, 19).replace('T', ' '))}</a></td><td class="n">${formatCount(counts.files)}</td><td class="n">${formatSize(bytes)}</td></tr>\n`;
}
