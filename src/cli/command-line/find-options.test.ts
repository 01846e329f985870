import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIRECTORY, FILE, SYMLINK } from '../../core/model.ts';
import type { Args } from './args.ts';
import { parseCommandLine } from './args.ts';
import { wantedOf } from './find-options.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');

function wanted(...options: string[]) {
  const parsed = parseCommandLine(['find', 'debian', ...options]);
  assert.equal(parsed.kind, 'run');
  return wantedOf((parsed as { args: Args }).args, NOW);
}

function refuses(message: RegExp, ...options: string[]): void {
  assert.throws(() => wanted(...options), { code: 'USAGE', message });
}

test('a name is matched by any of the patterns, as a shell matches it', () => {
  const { name } = wanted('--name', '*.deb', '--name', 'Release');
  assert.deepEqual(
    ['x.deb', 'Release', 'Release.gpg', '.deb'].map((it) => name?.(it)),
    [true, true, false, true],
  );
  refuses(/has a slash/, '--name', 'pool/*.deb');
});

test('kinds are letters with commas between', () => {
  assert.deepEqual(wanted('--type', 'f,l').kinds, new Set([FILE, SYMLINK]));
  assert.deepEqual(wanted('--type', 'd').kinds, new Set([DIRECTORY]));
  refuses(/not f, d, l/, '--type', 'constructor');
});

test('sizes are exact, over, under, or between two', () => {
  assert.deepEqual(wanted('--size', '4096').size, { from: 4096, to: 4096 });
  assert.deepEqual(wanted('--size', '+1K').size, { from: 1025, to: Number.POSITIVE_INFINITY });
  assert.deepEqual(wanted('--size', '-1K').size, { from: 0, to: 1023 });
  assert.deepEqual(wanted('--size', '+1K', '--size=-2K').size, { from: 1025, to: 2047 });
  refuses(/not a size/, '--size', 'large');
});

test('an age counts from now, and a date from its beginning', () => {
  assert.equal(wanted('--newer', '1d').newerThanNs, BigInt(NOW - 86_400_000) * 1_000_000n);
  assert.equal(wanted('--newer', '2026-11-24').newerThanNs, BigInt(Date.parse('2026-11-24T00:00:00Z')) * 1_000_000n);
  refuses(/neither an age/, '--newer', 'yesterday');
});

test('-h asks for help where there is nothing to list, and for sizes that people read where there is', () => {
  assert.equal(parseCommandLine(['find', '-h']).kind, 'help');
  assert.equal(parseCommandLine(['get', 'debian', '-h']).kind, 'help');
  const parsed = parseCommandLine(['find', 'debian', '-lh']);
  assert.ok(parsed.kind === 'run' && parsed.args.flag('human-readable') && !parsed.args.flag('help'));
});
