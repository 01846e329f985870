/**
 * `config.json`: read, validated and written whole. Beside it `config.checked.json` has the settings as they were last found good, with
 * a checksum: it spares a run the check, and is what `shardctl config --restore` goes back to when `config.json` is damaged.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fchmodSync, openSync, readFileSync, readlinkSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { flushSync, syncDirectory } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';
import { removeFileSync } from '../core/remove-file.ts';
import { CONFIG_FORMAT, type Config, holdsSecret } from './config.ts';
import type { HomePaths } from './home.ts';

/** As many as Linux follows. */
const MOST_LINKS = 40;

interface CheckedConfig {
  /** Version of the program that checked the settings, as another version may check more; empty after a write, until they are read. */
  readonly version: string;
  /** Digest of the text of `config.json` that these settings came from. */
  readonly of: string;
  readonly config: Config;
  /** `onFirst` was called for this home. */
  readonly isKnown?: boolean | undefined;
  /** The settings before somebody edited the text; absent when shardctl itself wrote it. */
  readonly before?: Config | undefined;
}

export interface Telling {
  /** Called with what differs from the settings as they were last read or written: an edit by hand, or a flipped bit. */
  readonly onChanged?: (changes: readonly string[]) => void;
  /** Called once for a home: when this version, or a later one, first reads its settings. */
  readonly onFirst?: (config: Config) => void;
}

/**
 * The settings, or undefined when the home has none yet.
 * @param version of this program: settings that another version has checked are checked again
 * @param tell called once for each change
 * @throws ShardctlError `BAD_CONFIG` naming file and field, `NEWER_FORMAT` when a later shardctl wrote it
 */
export async function loadConfig(home: HomePaths, version: string, tell: Telling = {}): Promise<Config | undefined> {
  const text = readIfThere(home.config);
  if (text === undefined) return undefined;
  const of = digestOf(text);
  const last = readChecked(home.configCache);
  if (last?.of === of && last.version === version && last.isKnown === true) return last.config;

  // Loading zod takes 60 ms, a third of an update that finds nothing to do: so it is loaded only for a text that was not checked before.
  const { validateConfig } = await import('./config-schema.ts');
  let config: Config;
  try {
    config = validateConfig(parseJson(text, home.config), home.config);
  } catch (error) {
    throw last === undefined ? error : restorable(error, last);
  }
  const was = last === undefined || last.of === of ? undefined : asNow(last.config, validateConfig);
  const changes = was === undefined ? [] : (await import('./config-changes.ts')).differences(was, config);
  if (changes.length > 0) tell.onChanged?.(changes);
  if (last?.isKnown !== true) tell.onFirst?.(config);
  writeChecked(home, { version, of, config, isKnown: true, before: changes.length > 0 ? was : last?.before });
  return config;
}

/** Replaces `config.json` as a whole: a crash leaves the old text or the new one. */
export function saveConfig(home: HomePaths, config: Config): void {
  const text = `${JSON.stringify(config, null, 2)}\n`;
  try {
    writeWhole(home.config, text, { durable: true, secret: holdsSecret(config) });
  } catch (error) {
    const link = linkAt(home.config);
    throw ioError(error, 'writing the settings', link === undefined ? home.config : `${home.config}, which leads to ${link}`);
  }
  writeChecked(home, { version: '', of: digestOf(text), config, isKnown: readChecked(home.configCache)?.isKnown });
}

/**
 * Writes the settings as they were when they were last found good, or before somebody edited them.
 * @returns what that changes; nothing when they are good and were not edited
 * @throws ShardctlError `BAD_CONFIG` when there is nothing to go back to
 */
export async function restoreConfig(home: HomePaths): Promise<readonly string[]> {
  const [{ validateConfig }, { differences }] = await Promise.all([import('./config-schema.ts'), import('./config-changes.ts')]);
  const found = readIfThere(home.config);
  const text = found ?? '';
  const last = readChecked(home.configCache);
  if (last === undefined) {
    throw new ShardctlError('BAD_CONFIG', `there is no good copy of ${home.config}`, { hint: 'mend it with an editor' });
  }
  const saved = last.of === digestOf(text) ? last.before : last.config;
  if (saved === undefined) return [];
  const config = validateConfig(saved, home.configCache);
  const parsed = parsedOrNothing(text);
  saveConfig(home, config);
  if (parsed === undefined) return [found === undefined ? 'it was gone' : 'it was no JSON'];
  return differences(asNow(parsed, validateConfig) ?? parsed, config);
}

/** Adds to the error that `config --restore` brings back the last good settings, unless a newer version has written those. */
function restorable(error: unknown, { config }: CheckedConfig): unknown {
  if (!(error instanceof ShardctlError) || config.format > CONFIG_FORMAT) return error;
  const unless = error.code === 'NEWER_FORMAT' ? `${error.hint}; if none did` : 'to have the last good settings again';
  return new ShardctlError(error.code, error.message, { hint: `${unless}, run \`shardctl config --restore\``, cause: error });
}

/** The settings with their defaults filled in, so that a new default is no difference; undefined when they are not valid. */
function asNow(config: unknown, validate: (value: unknown, file: string) => Config): Config | undefined {
  try {
    return validate(config, '');
  } catch {
    return undefined;
  }
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns undefined when there is no such file or its checksum is wrong: a flipped bit would be another setting */
function readChecked(file: string): CheckedConfig | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const end = text.indexOf('\n');
    const json = text.slice(end + 1);
    return text.slice(0, end) === digestOf(json) ? (JSON.parse(json) as CheckedConfig) : undefined;
  } catch {
    return undefined;
  }
}

function writeChecked(home: HomePaths, checked: CheckedConfig): void {
  const json = JSON.stringify(checked);
  try {
    const secret = holdsSecret(checked.config) || (checked.before !== undefined && holdsSecret(checked.before));
    writeWhole(home.configCache, `${digestOf(json)}\n${json}`, { secret });
  } catch {
    // In a home that cannot be written to, the settings are checked again by each run.
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
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

/** The path that a symlink leads to, whether anything is there or not; undefined when `file` is no symlink. */
function linkAt(file: string): string | undefined {
  try {
    return resolve(realpathSync(dirname(file)), readlinkSync(file));
  } catch {
    return undefined;
  }
}

function keepMode(fd: number, mode: number): void {
  try {
    fchmodSync(fd, mode);
  } catch {
    // The file system has no modes.
  }
}

/** Replaces a file as a whole. Where the settings are a symlink into a directory of other tools, the link stays, and the file that it leads to is replaced and keeps its mode. */
function writeWhole(path: string, text: string, options: { durable?: boolean; secret: boolean }): void {
  let file = path;
  for (let links = 0, link = linkAt(path); link !== undefined; link = linkAt(link)) {
    file = link;
    links += 1;
    if (links > MOST_LINKS) throw Object.assign(new Error('ELOOP: too many links'), { code: 'ELOOP' });
  }
  const mode = file === path ? 0o644 : (statSync(file, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
  // A name of its own, because other runs may write the settings, too: with one name for all, one of them could rename what another has
  // only begun. What a run that died leaves is removed with that of `writeDurably`.
  const fresh = `${file}.${randomUUID()}.new`;
  try {
    const fd = openSync(fresh, 'wx', options.secret ? 0o600 : mode);
    try {
      if (file !== path && !options.secret) keepMode(fd, mode);
      writeFileSync(fd, text);
      if (options.durable) flushSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, file);
    if (options.durable) syncDirectory(dirname(file));
  } catch (error) {
    removeFileSync(fresh);
    throw error;
  }
}
