/** `heads/NAME`: the CID of a repository's newest snapshot as a line of text, for people, scripts and `recover`: it outlives the index. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories, syncDirectory, writeDurablySync } from '../core/durable-files.ts';
import { errnoOf } from '../core/errors.ts';
import { isForeign } from './foreign.ts';

export function writeHead(dir: string, repository: string, cid: string): void {
  if (readHead(dir, repository) === cid) return;
  makeDirectories(dir);
  writeDurablySync(pathOf(dir, repository), `${cid}\n`);
}

export function readHead(dir: string, repository: string): string | undefined {
  try {
    // A power cut may leave it empty on some file systems: the index knows better.
    return readFileSync(pathOf(dir, repository), 'utf8').trim() || undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Goes before what it names: the index knows better, and the next run that finds it gone writes it again. */
export function dropHead(dir: string, repository: string): void {
  if (!existsSync(pathOf(dir, repository))) return;
  rmSync(pathOf(dir, repository));
  syncDirectory(dir);
}

/** Whether anything was ever committed here. */
export function hasHeads(dir: string): boolean {
  return existsSync(dir) && readdirSync(dir).some((name) => !isForeign(name));
}

/** The repositories that have a head, in the order of their names. */
export function repositoriesWithHeads(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => !isForeign(name))
    .map(decodeURIComponent)
    .sort();
}

function pathOf(dir: string, repository: string): string {
  return join(dir, encodeURIComponent(repository));
}
