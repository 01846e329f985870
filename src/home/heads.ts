/** `heads/NAME`: the CID of a repository's newest snapshot as a line of text, for people, scripts and `recover`, which has it when the index is lost. */
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
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
    // On some file systems a power cut leaves the file empty. That counts as none: the index has the head, too.
    return readFileSync(pathOf(dir, repository), 'utf8').trim() || undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes the file before the snapshot is forgotten. The index still has the head, so if the run dies in between, the next one writes the file again. */
export function dropHead(dir: string, repository: string): void {
  if (!existsSync(pathOf(dir, repository))) return;
  unlinkSync(pathOf(dir, repository));
  syncDirectory(dir);
}

/** Whether anything was ever committed here. */
export function hasHeads(dir: string): boolean {
  return existsSync(dir) && readdirSync(dir).some((name) => !isForeign(name));
}

/** The repositories that have a head, in the order of their names. */
export function repositoriesWithHeads(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => !isForeign(name))
    .map(decodeURIComponent)
    .sort();
}

function pathOf(dir: string, repository: string): string {
  return join(dir, encodeURIComponent(repository));
}
