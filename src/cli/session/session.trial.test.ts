import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Program } from '../../testing/program.ts';

test('where settings and index are both damaged, the settings are named: they say where the peers are', () => {
  const program = new Program();
  try {
    mkdirSync(program.path('m'));
    writeFileSync(program.path('m', 'file'), 'one');
    program.succeeds('add', 'm', '-q');
    // Without it the tables are opened.
    rmSync(join(program.home, 'index', 'standing.json'));
    truncateSync(join(program.home, 'index', 'tables', 'data.mdb'), 5000);
    program.fails(44, /the index is damaged/, 'add', 'm', '-n');
    writeFileSync(join(program.home, 'config.json'), '{ "format": 9 }');
    for (const argv of [['add', 'm', '-n'], ['config'], ['status']]) program.fails(45, /config\.json has format 9/, ...argv);
  } finally {
    program.dispose();
  }
});
