/** What pages of listings are made of: text that is safe in HTML, their one style, and what a browser may do with them. */

/** `Content-Security-Policy` of a page that is nothing but text, links and its own style. */
export const LISTING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? '');
}

const STYLE = `:root{color-scheme:light dark;--line:#8883;--dim:#767676}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:70rem}
h1{font-size:1.15rem;overflow-wrap:anywhere}h1 a,td a{text-decoration:none}h1 a:hover,td a:hover{text-decoration:underline}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600}
td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child,th:first-child{padding-left:0;overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}.d,footer{color:var(--dim)}
footer{margin-top:1rem;font-size:.87rem;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){:root{--dim:#9a9a9a}}
@media(max-width:36rem){.w{display:none}td,th{padding:.45rem .3rem}}`;

/** @param title text, not yet escaped @param heading HTML */
export function pageHead(title: string, heading: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><h1>${heading}</h1>
`;
}

/** @param note HTML */
export function pageEnd(note: string): string {
  return `<footer>${note}</footer>\n</body></html>\n`;
}
