/** How the page of a bench looks, by day and by night. */
export const STYLE = `
:root { --ink: #1c2430; --soft: #5b6675; --faint: #d9dee5; --paper: #fbfbf9; --card: #fff; --ours: #0b7a75; --theirs: #b9c2cd; --range: #33404f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #98a3b3; --faint: #333c49; --paper: #12161c; --card: #1a2029; --ours: #2fb3a8; --theirs: #4a5666; --range: #cdd5df; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 1000px; margin: 0 auto; padding: 24px 24px 0; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 16px; font-weight: 650; }
h1 em { font-style: normal; color: var(--ours); }
h2 { font-size: 20px; margin: 24px 0 12px; padding-top: 16px; border-top: 1px solid var(--faint); }
h2 small { font-size: 14px; font-weight: 400; color: var(--soft); margin-left: 8px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 4px 24px; margin: 0; font-size: 14px; }
dl div { display: flex; gap: 8px; min-width: 0; }
dt { color: var(--soft); flex: none; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(440px, 100%), 1fr)); gap: 16px; margin-bottom: 16px; }
figure { margin: 0; padding: 16px; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; min-width: 0; }
figcaption { margin-bottom: 8px; }
figcaption span { color: var(--soft); font-size: 13px; margin-left: 4px; }
figure svg { width: 100%; height: auto; font-size: 12px; overflow: visible; }
figure ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 8px 0 0; padding: 0; font-size: 13px; }
figure li { padding: 2px 8px; border-radius: 999px; border: 1px solid var(--faint); }
.noisy { color: var(--soft); border-style: dashed; }
details { margin: 4px 0; font-size: 14px; }
summary { cursor: pointer; padding: 4px 0; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; margin: 4px 0 16px; }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid var(--faint); vertical-align: baseline; white-space: nowrap; }
th[scope='row'], thead td { text-align: left; padding-left: 0; font-weight: 400; }
thead th { color: var(--soft); font-weight: 400; }
td small { display: block; color: var(--soft); font-size: 12px; }
.ours th { font-weight: 650; color: var(--ours); }
footer { margin: 24px 0; color: var(--soft); font-size: 13px; border-top: 1px solid var(--faint); }
`;
