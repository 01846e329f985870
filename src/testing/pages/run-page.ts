/** Runs the commands of a page as they are printed, in a world as the page has it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { freePort } from '../free-port.ts';
import type { OperatorsWorld } from '../operators-world.ts';
import { askedOnce, type LongCommand } from './asked-once.ts';
import { sectionsOfPage, wordsOf } from './page-commands.ts';

/** What a page needs to be otherwise than the world is, and what of it stands for something else here. */
export interface PageHere {
  /** @param atEnd told what is to be stopped after the page @returns what stands here for words of the page, first come first served */
  readonly prepare?: (world: OperatorsWorld, atEnd: AtEnd) => Words | Promise<Words>;
  /** What a section needs besides, by its title. */
  readonly before?: Readonly<Record<string, (world: OperatorsWorld, words: Words) => void>>;
  /** At the end of the blocks of each section. */
  readonly check?: (world: OperatorsWorld) => void;
  /** The end of a command that does not end with 0 here, and is right to. */
  readonly codes?: Readonly<Record<string, number>>;
  /** Commands that are not run, or how they begin if it ends in `…`, each with why. */
  readonly notRun?: Readonly<Record<string, string>>;
}

export type Words = readonly (readonly [onThePage: string, here: string])[];

/** What was begun last is stopped first. */
export type AtEnd = (stop: () => void | Promise<void>) => void;

/** The blocks of each section one after the other, then each of its paragraphs in a world in which nothing of that has happened. */
export async function runPage(t: TestContext, page: string, world: OperatorsWorld, it: PageHere): Promise<void> {
  const { prepare, before = {}, check, codes = {}, notRun = {} } = it;
  const sections = sectionsOfPage(page);
  const all = sections.flatMap(({ blocks, paragraphs }) => [...blocks, ...paragraphs.flat()]);
  assert.notEqual(all.length, 0);
  for (const named of [...Object.keys(notRun), ...Object.keys(codes)])
    assert.ok(
      all.some((command) => isNamed(command, named)),
      `not on the page: ${named}`,
    );
  for (const title of Object.keys(before))
    assert.ok(
      sections.some((section) => section.title === title),
      `no such section: ${title}`,
    );
  world.restore();
  const stops: (() => void | Promise<void>)[] = [];
  t.after(async () => {
    for (const stop of stops.reverse()) await stop();
  });
  const words = (await prepare?.(world, (stop) => stops.push(stop))) ?? [];
  world.keep('page');
  const port = await freePort();
  for (const { title, blocks, paragraphs } of sections) {
    for (const story of [blocks, ...paragraphs]) {
      const commands = story.filter((command) => !Object.keys(notRun).some((named) => isNamed(command, named)));
      if (commands.length === 0) continue;
      world.restore('page');
      before[title]?.(world, words);
      await runStory(t, world, commands, { words, port, codes });
      if (story === blocks) check?.(world);
    }
  }
}

type Story = Required<Pick<PageHere, 'codes'>> & { readonly words: Words; readonly port: string };

async function runStory(t: TestContext, world: OperatorsWorld, commands: readonly string[], story: Story): Promise<void> {
  // A variable that one line sets is there for the next ones.
  let variables = '';
  for (const command of commands) {
    if (command.includes('curl') && spawnSync('curl', ['--version']).status !== 0) {
      t.diagnostic(`left out, because curl is not installed: ${command}`);
      continue;
    }
    const long = longCommand(command);
    let here = command;
    for (const [onThePage, instead] of story.words) here = here.replaceAll(onThePage, instead);
    if (long === 'serve' && !here.includes('--listen')) here = here.replace('serve', `serve --listen 127.0.0.1:${story.port}`);
    here = here.replaceAll(/(?<=[\d.]:)80(?:80|81)\b/g, story.port);
    const { code, said } = long === undefined ? world.sh(`${variables}${here}`) : await askedOnce(world, here, long);
    assert.equal(code, story.codes[command] ?? 0, `${command}\n${said}`);
    if (/^(?:alias |(?:export )?\w+=(?:\S*|'[^']*')$)/.test(command)) variables += `${here}\n`;
    if (command.endsWith('verify')) assert.match(said, /: no damage, /, command);
    if (command.includes('curl') && /\/Release$/m.test(command)) assert.match(said, /^Codename: bookworm$/m);
    if (long === undefined && / -q\b/.test(command)) assert.equal(said, '', command);
  }
}

function isNamed(command: string, named: string): boolean {
  return named.endsWith('…') ? command.startsWith(named.slice(0, -1)) : command === named;
}

/** Of a command that goes on until it is stopped. */
function longCommand(command: string): LongCommand | undefined {
  const [program, word] = wordsOf(command);
  if (program !== 'shardctl' || command.includes('\n')) return undefined;
  if (word === 'follow') return / (?:--once|-n)\b/.test(command) ? undefined : word;
  return word === 'serve' || word === 'mount' || word === 'watch' ? word : undefined;
}
