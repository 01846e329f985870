/** Pages whose lines the tests run: `docs/package-managers.md` and others. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DOCS = fileURLToPath(new URL('../../../../docs/', import.meta.url));

export interface Block {
  /** What the line before it names, if it is a file to write; otherwise commands. */
  readonly file: string | undefined;
  readonly text: string;
}

/** The blocks below a heading, to the next one of any level. @param headings for example `apt`, `With a date`: one inside the other */
export function blocksOf(...headings: string[]): Block[] {
  return blocksIn('package-managers.md', ...headings);
}

/** As `blocksOf`, of another page. @param page its name in `docs` */
export function blocksIn(page: string, ...headings: string[]): Block[] {
  const all = sections(page);
  const found = all.find(({ path }) => path.slice(1).join('\n') === headings.join('\n'));
  assert.ok(found !== undefined, `no section ${headings.join(' / ')}: ${all.map(({ path }) => path.slice(1).join(' / ')).join(', ')}`);
  return found.blocks;
}

interface Section {
  /** Its heading, after those that it is in. */
  readonly path: readonly string[];
  readonly blocks: Block[];
}

export function sections(page: string): Section[] {
  const found: Section[] = [];
  let path: string[] = [];
  let before = '';
  const lines = readFileSync(join(DOCS, page), 'utf8').split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const [, level, heading] = /^(#+) (.*)$/.exec(line) ?? [];
    if (level !== undefined && heading !== undefined) {
      path = [...path.slice(0, level.length - 1), heading];
      found.push({ path, blocks: [] });
    } else if (line.startsWith('```')) {
      const end = lines.indexOf('```', i + 1);
      const [, file] = /`([^`]+)`:$/.exec(before) ?? [];
      const isFile = !line.startsWith('```sh');
      assert.ok(!isFile || file !== undefined, `the line before says no file: ${lines[i + 1]}`);
      found.at(-1)?.blocks.push({ file: isFile ? file : undefined, text: `${lines.slice(i + 1, end).join('\n')}\n` });
      i = end;
    }
    if (line !== '') before = line;
  }
  return found;
}
