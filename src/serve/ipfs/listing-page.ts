/** The page that lists a directory under `/ipfs/`, piece by piece. Its links and marks are those of the pages of Kubo, which other programs read. */
import { createHash } from 'node:crypto';
import type { ByteString } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';
import type { NodeLink } from '../../dag/node-links.ts';
import { encodePath } from '../paths/address.ts';
import { escapeHtml } from '../paths/page.ts';

export interface ListedDirectory {
  readonly cid: AnyCid;
  readonly rootText: string;
  /** Names from the root to the directory. */
  readonly names: readonly ByteString[];
}

const STYLE = `
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.1rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
td{padding:.15rem .5rem;border-bottom:1px solid #8884;overflow-wrap:anywhere}
td:nth-child(2){font-family:ui-monospace,monospace;font-size:.85em}
td:nth-child(3){text-align:right;white-space:nowrap}
@media(max-width:40rem){td:nth-child(2){display:none}}`;

/** Part of the ETag of each page: another version of this program may write it in another way. */
export const PAGE_VERSION = createHash('sha256').update(`1${STYLE}`).digest('hex').slice(0, 16);

/** @param entries in any order */
export async function* listingPage({ cid, rootText, names }: ListedDirectory, entries: AsyncIterable<NodeLink>): AsyncGenerator<Buffer> {
  const base = `/ipfs/${rootText}`;
  const hrefs = names.map(
    (_, depth) =>
      `${base}/${names
        .slice(0, depth + 1)
        .map(encodeName)
        .join('/')}`,
  );
  const here = hrefs.at(-1) ?? base;
  const crumbs = [`<a href="${base}">${rootText}</a>`, ...names.map((name, depth) => `<a href="${hrefs[depth]}">${escaped(name)}</a>`)];
  const title = escaped([base, ...names].join('/'));
  let text = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>Index of /ipfs/${crumbs.join('/')}</h1><p>CID <code>${textOfCid(cid.bytes)}</code></p><table>
`;
  if (names.length > 0) text += `<tr><td><a href="${here}/..">..</a></td><td></td><td></td></tr>\n`;
  for await (const entry of entries) {
    text += row(entry, here);
    if (text.length < 65_536) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(`${text}</table></body></html>\n`);
}

function row({ name, cid, dagSize }: NodeLink, here: string): string {
  const text = textOfCid(cid.bytes);
  const short = `${text.slice(0, 4)}\u2026${text.slice(-4)}`;
  // Twice encoded, as Kubo writes it: once as a path, and once more as the value in a query.
  const filename = encodeURIComponent(encodeName(name));
  return (
    `<tr><td><a href="${here}/${encodeName(name)}">${escaped(name)}</a></td>` +
    `<td><a class="ipfs-hash" translate="no" href="/ipfs/${text}?filename=${filename}">${short}</a></td>` +
    `<td title="Cumulative size of IPFS DAG (data + metadata)">${sizeText(dagSize)}</td></tr>\n`
  );
}

function encodeName(name: ByteString): string {
  return encodePath(name).replaceAll('/', '%2F');
}

function escaped(name: ByteString): string {
  return escapeHtml(Buffer.from(name, 'latin1').toString('utf8'));
}

function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1000 && unit < 6; unit++) size /= 1000;
  const digits = unit === 0 || size >= 10 ? 0 : 1;
  return `${size.toFixed(digits)} ${['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'][unit]}`;
}
