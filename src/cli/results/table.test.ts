import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from './table.ts';

const CID = `bafybei${'a'.repeat(44)}12345678`.replaceAll(/[189]/g, '2');
const ROWS = [
  ['NAME', 'TIME', 'BYTES', 'CID', 'WHERE'],
  ['debian@1', '2026-11-27T01:04:38.135Z', '12', CID, '/srv/mirrors/of/the/world/debian'],
  ['npm@10', '2026-11-27T01:04:38.135Z', '123456', CID, '/srv/npm'],
];

test('a pipe gets every cell as it is, in columns', () => {
  const [head = '', ...lines] = table(ROWS, 'llrll');
  assert.equal(head, `NAME      TIME                       BYTES  ${'CID'.padEnd(CID.length)}  WHERE`);
  assert.equal(lines[1], `npm@10    2026-11-27T01:04:38.135Z  123456  ${CID}  /srv/npm`);
});

test('a terminal gets as much as it has room for: CIDs lose their beginnings first, then times their seconds, then the widest text its middle', () => {
  assert.deepEqual(table(ROWS, 'llrll', 300), table(ROWS, 'llrll'));
  const end = CID.slice(-8);
  const at = (columns: number) => table(ROWS, 'llrll', columns)[1];
  assert.equal(at(100), `debian@1  2026-11-27T01:04:38.135Z      12  …${end}  /srv/mirrors/of/the/world/debian`);
  assert.equal(at(85), `debian@1  2026-11-27 01:04      12  …${end}  /srv/mirrors/of/the/world/debian`);
  assert.equal(at(70), `debian@1  2026-11-27 01:04      12  …${end}  /srv/mirror…orld/debian`);
  for (const columns of [60, 70, 80, 90, 120])
    assert.ok(
      table(ROWS, 'llrll', columns).every((line) => line.length <= columns),
      String(columns),
    );
});

test('times and the ends of CIDs are not cut where other text can be', () => {
  const rows = [
    ['TIME', 'CID', 'PLACE'],
    ['2026-11-27T01:04:38.135Z', CID, '/srv/npm/here'],
  ];
  assert.equal(table(rows, 'lll', 36)[1], `2026-11-27 01:04  …${CID.slice(-8)}  /srv…ere`);
});

test('a terminal that is far too narrow still gets something of each cell', () => {
  for (const line of table(ROWS, 'llrll', 5)) assert.ok(line.split(/ {2,}/).length >= 5, line);
});
