/** For tests: a directory on disk as data. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** By path: a file's content, `directory`, or `->target`. */
export function contents(root: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((path) => [path, contentOf(join(root, path))]),
  );
}

function contentOf(path: string): string {
  const stat = lstatSync(path);
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? `->${readlinkSync(path)}` : readFileSync(path, 'latin1');
}
