/** Every command of this program that a page shows is one that it takes: the words, the options, and how many arguments. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseCommandLine } from '../cli/command-line/args.ts';
import { COMMON, type CommandSpec } from '../cli/command-line/command-spec.ts';
import { COMMANDS } from '../cli/command-line/spec.ts';
import { ShardctlError } from '../core/errors.ts';
import { OPERATORS_PAGES } from '../testing/pages/operators-pages.ts';
import { isSynopsis, sectionsIn, wordsOf } from '../testing/pages/page-commands.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGES = ['README.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith('.md'),
);

/**
 * What is run for real, too, and where. The other pages show commands one by one, for homes, daemons and hosts that each reader has
 * other ones of; what they do is tested beside the code.
 */
const RUN: Readonly<Record<string, string>> = {
  'README.md': 'readme.test.ts',
  'docs/three-in-the-morning.md': 'three-in-the-morning.test.ts',
  ...Object.fromEntries(Object.keys(OPERATORS_PAGES).map((page) => [`docs/${page}.md`, 'pages-for-operators.test.ts'])),
  'docs/cluster.md': 'cluster.test.ts',
  'docs/package-managers.md': 'package-tools',
  'docs/ipfs-nodes.md': 'ipfs-nodes',
};

/** Names of pins begin like a command. */
const NAMES_OF_PINS = /^(?:homes|roots of|follower|<home>)/;

/** Before the words of a command: what a shell, a crontab, sudo or the alias of installing.md have there. */
const BEGINNING = /(?:^|&& |; |\$\(|\| |^[\d*][\d* ]+ )(?:sudo (?:-\w \w+ )?)?(?:[A-Z_]+=\S* )*(?:npx )?(?:shardctl|sd) (\S.*)/g;

/** In blocks of code, and between backticks where a line begins with the name of the program. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].flatMap(([, code = '']) => code.replaceAll(/\s*\\\n\s*/g, ' ').split('\n'));
  const inline = [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/`(shardctl\s[^`]*)`/g)].map(([, code = '']) =>
    code.replaceAll(/\s+/g, ' '),
  );
  const lines = [...blocks, ...inline];
  return lines.flatMap((line) => [...line.matchAll(BEGINNING)].map(([, rest = '']) => rest));
}

/** Of what stands for several commands: its words lead to one, in braces are words of these, and each option is one of theirs. */
function assertSynopsis(text: string): void {
  const [own = ''] = text.split(/ {2}| \| /);
  const plain = own.split(' ');
  const end = plain.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  const words = plain.slice(0, end < 0 ? plain.length : end);
  if (words.length === 0) return;
  // As many of the words as are those of a command: an argument may look like one.
  const led = words.map((_, at) => words.slice(0, words.length - at).join(' ')).find((it) => commandsFrom(it).length > 0);
  assert.ok(led !== undefined, `shardctl ${text}`);
  const meant = commandsFrom(led);
  const known: readonly string[] = [...COMMON, ...meant.flatMap(({ options }) => options)];
  for (const [, option = ''] of own.matchAll(/--([a-z][a-z-]*)/g))
    assert.ok(
      known.includes(option) || known.some((it) => it.startsWith(option) && own.includes(`--${option}…`)),
      `shardctl ${text}: --${option}`,
    );
  const theirs = meant.flatMap((command) => command.words.split(' '));
  for (const [, choice = ''] of own.matchAll(/[{,]([a-z]+)/g))
    assert.ok(!own.includes('{') || theirs.includes(choice), `shardctl ${text}: ${choice}`);
}

function commandsFrom(words: string): readonly CommandSpec[] {
  return COMMANDS.filter((spec) => `${spec.words} `.startsWith(`${words} `));
}

test('what is said to run a page is there', () => {
  const trials = readdirSync(join(ROOT, 'src/trials'));
  for (const [page, trial] of Object.entries(RUN)) assert.ok(PAGES.includes(page) && trials.includes(trial), page);
});

test('a command that is wrong is found, however it stands on a page', () => {
  const page = '`shardctl update\n--nonsense`\n```sh\ncd x && shardctl lss debian | less\nshardctl get debian \\\n  --also\n```\n';
  const found = commandsOf(page).map(wordsOf);
  assert.deepEqual(found, [
    ['lss', 'debian'],
    ['get', 'debian', '--also'],
    ['update', '--nonsense'],
  ]);
  const others = ['17 * * * *  shardctl a -q', 'sudo -u shardctl shardctl b', 'SHARDCTL_HOME=/h shardctl c', 'sd d', 'x | sudo shardctl e'];
  assert.deepEqual(commandsOf(`\`\`\`\n${others.join('\n')}\n\`\`\`\n`), ['a -q', 'b', 'c', 'd', 'e']);
});

test('a synopsis is wrong that has a word or an option that there is not', () => {
  for (const text of ['ls [-lhR0] REF[/PATH]   what', 'peers {ls,add {local,kubo},rm}', 'get REF… -o OUT [--delete]', 'forget --keep-…'])
    assertSynopsis(text);
  for (const text of ['lss [-l] REF', 'peers {ls,paint}', 'get REF… [--paint]', 'forget --paint-…'])
    assert.throws(() => assertSynopsis(text), { name: 'AssertionError' }, text);
});

test('run are blocks of sh, lines of crontabs, and whole commands between backticks, none of them twice', () => {
  const cron = '```\n17 * * * *  shardctl update --all -q\n```\n';
  const sh = '```sh\n# first\nshardctl get debian \\\n  -o out   # there\nipfs id\n```\n';
  const loop = '```sh\nls | while read -r it; do\n  echo "$it"\ndone\n```\n';
  const between =
    '`shardctl\nstatus`, `shardctl add` and\n`shardctl ls [-l] REF`\n\n- `shardctl prune`, `shardctl verify`\n- `shardctl status`\n';
  assert.deepEqual(sectionsIn(`# Page\n\n${cron}## One\n${sh}${loop}\n${between}\n## None\n`), [
    { title: '', blocks: ['shardctl update --all -q'], paragraphs: [] },
    {
      title: 'One',
      blocks: ['shardctl get debian \\\n-o out   # there', 'ipfs id', 'ls | while read -r it; do\necho "$it"\ndone\n'],
      paragraphs: [['shardctl status'], ['shardctl prune', 'shardctl verify']],
    },
  ]);
});

test('a block of commands is marked as one on each page for operators, or it would not be run; a synopsis is marked as text', () => {
  for (const page of Object.keys(OPERATORS_PAGES)) {
    const text = readFileSync(join(ROOT, `docs/${page}.md`), 'utf8');
    for (const [, kind, lines = ''] of text.matchAll(/^ *```([^\n]*)\n(.*?)^ *```$/gms))
      if (kind === '')
        assert.doesNotMatch(lines, /^ *(?:sudo )?(?:shardctl|sd|ipfs\S*|rsync|systemctl|sysctl|useradd|npm|apt|docker|kubectl) /m, page);
  }
});

for (const page of PAGES) {
  test(`${page}${RUN[page] === undefined ? '' : `, which ${RUN[page]} runs, too`}`, () => {
    for (const command of commandsOf(readFileSync(join(ROOT, page), 'utf8'))) {
      const words = wordsOf(command);
      if (NAMES_OF_PINS.test(command)) continue;
      if (isSynopsis(words)) {
        assertSynopsis(command);
        continue;
      }
      try {
        parseCommandLine(words);
      } catch (error) {
        // A command that is only named: `shardctl add`.
        const isNamed =
          error instanceof ShardctlError &&
          / is missing$| needs one of: /.test(error.message) &&
          words.every((word) => /^[a-z-]+$/.test(word));
        assert.ok(isNamed, `shardctl ${command}: ${error}`);
      }
    }
  });
}
