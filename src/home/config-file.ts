/** `config.json`: read, validated and written whole. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, ioError, ShardctlError } from '../errors.ts';
import { type Config, holdsSecret } from './config.ts';
import type { HomePaths } from './home.ts';

/**
 * The settings, or undefined when the home has none yet.
 * @param version of this program: a cache that another one has checked does not count
 * @throws ShardctlError `BAD_CONFIG` naming file and field, `NEWER_FORMAT` when a later shardctl wrote it
 */
export async function loadConfig(home: HomePaths, version: string): Promise<Config | undefined> {
  const text = readIfThere(home.config);
  if (text === undefined) return undefined;
  const of = `${version} ${createHash('sha256').update(text).digest('hex')}`;
  const checked = readChecked(home.configCache, of);
  if (checked !== undefined) return checked;

  // Loading zod costs 60 ms, a third of an update that finds nothing to do: only a text not seen before is worth it.
  const { validateConfig } = await import('./config-schema.ts');
  const config = validateConfig(parseJson(text, home.config), home.config);
  try {
    writeWhole(home.configCache, JSON.stringify({ of, config }), { secret: holdsSecret(config) });
  } catch {
    // A home that cannot be written can still be read; it is checked again next time.
  }
  return config;
}

/** Replaces `config.json`: a crash leaves the old text or the new one. */
export function saveConfig(home: HomePaths, config: Config): void {
  try {
    writeWhole(home.config, `${JSON.stringify(config, null, 2)}\n`, { durable: true, secret: holdsSecret(config) });
  } catch (error) {
    throw ioError(error, 'writing the settings', home.config);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw ioError(error, 'reading the settings', file);
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `${file} is not JSON: ${(error as Error).message}`, {
      hint: 'mend it with an editor',
      cause: error,
    });
  }
}

function readChecked(file: string, of: string): Config | undefined {
  try {
    const cache = JSON.parse(readFileSync(file, 'utf8')) as { of?: unknown; config?: Config } | null;
    return cache?.of === of ? cache.config : undefined;
  } catch {
    return undefined;
  }
}

function writeWhole(file: string, text: string, options: { durable?: boolean; secret: boolean }): void {
  const fresh = `${file}.new`;
  try {
    // What a run that died has left has a mode of its own.
    rmSync(fresh, { force: true });
    const fd = openSync(fresh, 'wx', options.secret ? 0o600 : 0o644);
    try {
      writeSync(fd, text);
      if (options.durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, file);
    if (options.durable) syncDirectory(dirname(file));
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
