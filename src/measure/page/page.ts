/** The JSON of a bench as one file of HTML: pictures, tables, and what they hold for. It loads nothing and runs no script. */
import { formatSize } from '../../home/sizes.ts';
import type { Machine } from '../machine.ts';
import { NOISY, verdictOf } from '../spread.ts';
import { isOurs } from '../tools.ts';
import { type Figure, type Figures, figuresOf, type Panel, spreadIn } from './figures.ts';
import { plotOf } from './plot.ts';
import { STYLE } from './style.ts';
import { shownValue } from './values.ts';

/** What the JSON of every bench has. */
export interface AnyReport {
  readonly bench: string;
  readonly time: string;
  readonly machine: Machine;
  readonly commit?: string;
  readonly corpora?: readonly { readonly name: string; readonly files: number; readonly bytes: number }[];
  readonly tools?: Readonly<Record<string, string>>;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function pageOf(report: AnyReport): string {
  const figures = figuresOf(report as unknown as Readonly<Record<string, unknown>>);
  const groups = [...new Set(figures.panels.map(({ group }) => group))];
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>shardctl bench: ${escaped(report.bench)}, ${escaped(report.time.slice(0, 10))}</title><style>${STYLE}</style></head>
<body><header><h1>shardctl bench <em>${escaped(report.bench)}</em></h1>
${factsOf(report)}</header>
<main>${groups.map((group) => groupOf(report, figures, group)).join('\n')}
${groups.length === 0 ? plainOf(report) : ''}
<footer><p>A bar is the median, the line on it reaches from the best run to the worst, each run is a dot. “0.50 of” a
program is half of its median;
there is none where a run took over ${NOISY} times as long as another: that says more about the machine than about a program.</p></footer>
</main></body></html>
`;
}

function factsOf({ time, machine, commit, tools = {} }: AnyReport): string {
  const facts = [
    ['when', `${time.slice(0, 16).replace('T', ' ')} UTC`],
    ['machine', `${machine.cores} cores, ${machine.processor}, ${formatSize(machine.memoryBytes)}`],
    ['system', `Linux, Node ${machine.node}, stores on ${machine.destination}`],
    ['load before', String(machine.load)],
    ...(commit === undefined ? [] : [['commit', commit.slice(0, 12)]]),
    // Some tell of all that they are made of.
    ...Object.entries(tools).map(([tool, version]) => [tool, version.split(' (')[0] as string]),
  ];
  return `<dl>${facts.map(([name = '', value = '']) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`).join('')}</dl>`;
}

function groupOf({ corpora = [] }: AnyReport, { panels, figures }: Figures, group: string): string {
  const corpus = corpora.find(({ name }) => name === group);
  const size = corpus === undefined ? '' : ` <small>${corpus.files.toLocaleString('en')} files, ${formatSize(corpus.bytes)}</small>`;
  const its = panels.filter((panel) => panel.group === group);
  return `<section><h2>${escaped(group)}${size}</h2>
<div class="panels">${its.map((panel) => panelOf(panel, figures)).join('\n')}</div>
${its.map((panel) => tableOf(panel, figures)).join('\n')}</section>`;
}

function panelOf(panel: Panel, figures: readonly Figure[]): string {
  const first = figures.find(({ key }) => panel.rows.some((row) => row.values[key] !== undefined));
  if (first === undefined) return '';
  return `<figure><figcaption><b>${escaped(panel.title)}</b> <span>${escaped(first.label)}, ${first.better} is better</span></figcaption>
${plotOf(panel, first)}
${verdictsOf(panel, first)}</figure>`;
}

/** What shardctl takes of what each other one does; of several ways that shardctl has, the first. */
function verdictsOf({ rows }: Panel, figure: Figure): string {
  const ours = rows.filter(({ tool }) => isOurs(tool));
  const first = ours[0];
  const its = first && spreadIn(first, figure.key);
  if (first === undefined || its === undefined) return '';
  const said = rows.flatMap((row) => {
    const theirs = spreadIn(row, figure.key);
    if (ours.includes(row) || theirs === undefined) return [];
    const verdict = verdictOf(its, theirs);
    if (verdict === undefined) return [`<li class="noisy">${escaped(row.tool)}: too noisy for a verdict</li>`];
    const name = ours.length > 1 ? `${escaped(first.tool)}: ` : '';
    return [`<li>${name}<b>${verdict.toFixed(2)}</b> of ${escaped(row.tool)}</li>`];
  });
  return said.length === 0 ? '' : `<ul>${said.join('')}</ul>`;
}

function tableOf(panel: Panel, figures: readonly Figure[]): string {
  const columns = figures.filter(({ key }) => panel.rows.some((row) => row.values[key] !== undefined));
  const head = columns.map(({ label }) => `<th scope="col">${escaped(label)}</th>`).join('');
  const rows = panel.rows.map((row) => {
    const cells = columns.map((column) => {
      const spread = spreadIn(row, column.key);
      if (spread === undefined) return '<td></td>';
      const range =
        spread.least === spread.most ? '' : ` <small>${shownValue(spread.least, column)} – ${shownValue(spread.most, column)}</small>`;
      return `<td>${shownValue(spread.median, column)}${range}</td>`;
    });
    return `<tr${isOurs(row.tool) ? ' class="ours"' : ''}><th scope="row">${escaped(row.tool)}</th>${cells.join('')}</tr>`;
  });
  return `<details><summary>${escaped(panel.title)}: all figures</summary><div class="wide"><table><thead><tr><td></td>${head}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

/** Of a bench without turns: its figures as they are. */
function plainOf(report: AnyReport): string {
  const known = ['bench', 'time', 'machine', 'commit', 'corpora', 'tools', 'scale'];
  const rows = Object.entries(report).filter(([name]) => !known.includes(name));
  return `<table><tbody>${rows.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(String(value))}</td></tr>`).join('')}</tbody></table>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? letter);
}
