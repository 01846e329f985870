/** The commands of a page of docs, in the order in which a reader comes to them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseCommandLine } from '../../cli/command-line/args.ts';

const DOCS = fileURLToPath(new URL('../../../../docs/', import.meta.url));

/** Blocks may be indented, as below an item of a list. */
const BLOCK = /^( *)```(\w*)[^\n]*\n(.*?)^\1```$/gms;

/** Five fields of times before what cron runs. */
const CRON_TIMES = /^(?:[\d*/,-]+ ){5} */;

/** A line that the next one belongs to. */
const GOES_ON = /(?:\\|\||&&)$/;

export interface PageSection {
  /** Of a heading `##`; empty before the first one. */
  readonly title: string;
  /** Of all its blocks, one after the other. */
  readonly blocks: readonly string[];
  /** Those between backticks: of each paragraph, item or row of a table that has any. None is on the page twice. */
  readonly paragraphs: readonly (readonly string[])[];
}

/** Those that have commands. @param page its name in `docs`, without `.md` */
export function sectionsOfPage(page: string): PageSection[] {
  return sectionsIn(readFileSync(`${DOCS}${page}.md`, 'utf8'));
}

/**
 * Blocks of `sh`, and lines of crontabs in other ones. A block that says what it is for, as ```` ```sh on-commit ````, is for its own
 * test. Between backticks, what begins with the program's name and is a whole command.
 */
export function sectionsIn(text: string): PageSection[] {
  const seen = new Set<string>();
  return text
    .split(/^## /m)
    .map((section, at) => {
      const blocks = [...section.matchAll(BLOCK)].flatMap(([whole, , kind, lines = '']) => {
        if (kind === 'sh') return /^ *```sh\n/.test(whole) ? commandsOfBlock(lines.replaceAll(/^ +(?=\S)/gm, '')) : [];
        return lines.split('\n').flatMap((line) => (CRON_TIMES.test(line) ? [line.replace(CRON_TIMES, '')] : []));
      });
      const paragraphs = paragraphsOf(section.replaceAll(BLOCK, '')).filter((commands) => {
        const story = commands.join('\n');
        return !seen.has(story) && seen.add(story);
      });
      return { title: at === 0 ? '' : section.slice(0, section.indexOf('\n')), blocks, paragraphs };
    })
    .filter(({ blocks, paragraphs }) => blocks.length + paragraphs.length > 0);
}

function paragraphsOf(text: string): string[][] {
  return text
    .split(/\n\n|\n(?=\s*(?:- |\d+\. |\|))/)
    .map((paragraph) => [...paragraph.matchAll(/`(shardctl\s[^`]*)`/g)].map(([, code = '']) => code.replaceAll(/\s+/g, ' ')))
    .map((commands) => commands.filter(isWhole))
    .filter((commands) => commands.length > 0);
}

/** What goes on in the background, and a loop, is one script with all of its block. */
function commandsOfBlock(lines: string): string[] {
  if (/ &$|\bdo$/m.test(lines)) return [lines];
  const commands: string[] = [];
  let before = '';
  for (const line of lines.split('\n')) {
    before += `${line}\n`;
    if (GOES_ON.test(line) || isQuoteOpen(before)) continue;
    const command = before.trim();
    if (command !== '' && !command.startsWith('#')) commands.push(command);
    before = '';
  }
  return commands;
}

function isQuoteOpen(lines: string): boolean {
  const quotes = lines.replaceAll(/"[^"]*"| #.*$|^#.*$/gm, '').match(/'/g) ?? [];
  return quotes.length % 2 === 1;
}

/** As a shell splits it, to the end of the command. */
export function wordsOf(command: string): string[] {
  // In a table of commands two spaces stand before what one does.
  const [own = ''] = /^(?:"[^"]*"|'[^']*'|(?! {2})[^"'#|;&<>)])*/.exec(command) ?? [];
  return [...own.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}

/** Stands for several commands, as in `shardctl peers {ls,add}`, `shardctl COMMAND --help` and `shardctl get REF[/PATH]…`. */
export function isSynopsis(words: readonly string[]): boolean {
  return words.some((word) => word === 'COMMAND' || /[[\]{}…]/.test(word));
}

function isWhole(command: string): boolean {
  const words = wordsOf(command).slice(1);
  if (words.length === 0 || isSynopsis(words)) return false;
  try {
    parseCommandLine(words);
    return true;
  } catch {
    // Only named, as `shardctl add` is; docs-commands.test.ts finds what is wrong.
    return false;
  }
}
