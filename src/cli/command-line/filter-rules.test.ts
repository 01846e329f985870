import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { optionOf, readFilters } from './filter-rules.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-rules-'));
after(() => rmSync(dir, { recursive: true }));

type Given = readonly ['exclude' | 'include' | 'exclude-from', string];
const rules = (...given: readonly Given[]) =>
  readFilters({ all: () => given.map(([name, value]) => ({ name, value })) }, (path) => join(dir, path));

test('a pattern may say itself whether it excludes, and an exclamation mark clears what stood before it', () => {
  assert.deepEqual(rules(['exclude', 'a'], ['exclude', '+ b'], ['include', 'c'], ['include', '- d']), ['- a', '+ b', '+ c', '- d']);
  assert.deepEqual(rules(['exclude', 'a'], ['include', '!'], ['exclude', 'b']), ['- b']);
  assert.deepEqual(rules(['exclude', '!a'], ['exclude', '- !'], ['exclude', '-  x']), ['- !a', '- !', '-  x']);
});

test('a file of patterns has one a line, however lines end, and nothing but empty lines and comments is passed over', () => {
  writeFileSync(join(dir, 'rules'), Buffer.from('a\r\n#b\r;c\n\n\n  \n+ d \n #e\n\xe9*', 'latin1'));
  assert.deepEqual(rules(['exclude-from', 'rules']), ['- a', '-   ', '+ d ', '-  #e', '- \xe9*']);
  writeFileSync(join(dir, 'clears'), 'a\n!\nb');
  assert.deepEqual(rules(['exclude', 'x'], ['exclude-from', 'clears']), ['- b']);
});

test('what would be read otherwise than it was meant is refused, with the way to say it', () => {
  const refused = (pattern: string) => assert.throws(() => rules(['exclude', pattern]), { code: 'USAGE' }, pattern);
  for (const rule of ['P keep', 'H! x', 'S,s x', 'R x', 'protect x', 'hide,s x', '-s x', '-! x', '-,/ x', '+/ x', '. file', '.- file'])
    refused(rule);
  for (const rule of ['merge file', 'dir-merge .rules', 'dir-merge,- .gitignore', ': .rules', ':- .gitignore', ':C', '-C', 'exclude x'])
    refused(rule);
  assert.throws(() => rules(['exclude', 'merge file']), { message: /rsync's --filter/, hint: /write "- merge file"$/ });
  assert.deepEqual(rules(['exclude', '- merge file']), ['- merge file']);
  for (const name of ['clear', 'merge', 'Pictures x', 'P', '-s', '.x y', 'Report 1', 'exclude', 'S.x y', 'hidden x'])
    rules(['exclude', name]);

  for (const empty of ['', '- ', '+ ']) refused(empty);
  refused('a'.repeat(4096));
  rules(['exclude', 'a'.repeat(4095)]);
  writeFileSync(join(dir, 'from0'), 'a\0b\0');
  assert.throws(() => rules(['exclude-from', 'from0']), { code: 'USAGE', hint: /tr '\\0' '\\n' <from0/ });
  writeFileSync(join(dir, 'from $0'), 'a\0b\0');
  assert.throws(() => rules(['exclude-from', 'from $0']), { hint: /'\\n' <'from \$0' \|/ });
});

test('the option for a rule is read as that rule again', () => {
  for (const rule of ['- *.tmp', '+ a', '- !', '- - x', '+ - x', '- P x', '- !a', '- :C', '-  ']) {
    const { option, value } = optionOf(rule);
    assert.deepEqual(rules([option, value]), [rule]);
  }
  assert.deepEqual(optionOf('- *.tmp'), { option: 'exclude', value: '*.tmp' });
});
