import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { Output } from '../reporter/output.ts';
import { AccessLogFile } from './access-log-file.ts';

test('a line that was torn before, by a full disk, is not gone on with', () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-access-log-'));
  try {
    const path = join(dir, 'log');
    writeFileSync(path, 'whole\ntorn');
    const log = new AccessLogFile({ path, output: new Output(process.stdout, process.stderr), onTrouble: assert.fail });
    log.write('one');
    log.reopen();
    log.write('two');
    log.close();
    assert.equal(readFileSync(path, 'utf8'), 'whole\ntorn\none\ntwo\n');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
