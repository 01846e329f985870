/**
 * Preloaded into a child (`node --import`), and thereby into its workers: notes each file below `SHARDCTL_OPENED_BELOW` that is
 * opened, a path a line in the file `SHARDCTL_OPENED`. What is not opened is not read.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { SHARDCTL_OPENED: list = '', SHARDCTL_OPENED_BELOW: below = '' } = process.env;
const { openSync, appendFileSync } = fs;
const open = fs.promises.open;

function note(path: unknown): void {
  const text = String(path);
  if (text.startsWith(`${below}/`)) appendFileSync(list, `${text}\n`);
}

fs.openSync = (...args: Parameters<typeof openSync>) => {
  note(args[0]);
  return openSync(...args);
};
fs.promises.open = (...args: Parameters<typeof open>) => {
  note(args[0]);
  return open(...args);
};
syncBuiltinESMExports();
