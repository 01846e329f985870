/** What whoever may write into a directory can put in the place of a file that a program opens. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';

export const STRANGE = ['FIFO', 'socket', 'directory', 'circle of symlinks', 'symlink to a FIFO', 'symlink to a device'] as const;
export type Strange = (typeof STRANGE)[number];

/** Puts it in place of what is there. */
export async function putStrange(kind: Strange, path: string): Promise<void> {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  if (kind === 'FIFO') execFileSync('mkfifo', [path]);
  else if (kind === 'directory') mkdirSync(path);
  else if (kind === 'circle of symlinks') symlinkSync(path, path);
  else if (kind === 'symlink to a device') symlinkSync('/dev/zero', path);
  else if (kind === 'symlink to a FIFO') {
    rmSync(`${path}.fifo`, { force: true });
    execFileSync('mkfifo', [`${path}.fifo`]);
    symlinkSync(`${path}.fifo`, path);
  } else await leftSocket(path);
}

/** A socket whose server is gone. By a short path, as a socket's must be. */
async function leftSocket(path: string): Promise<void> {
  const dir = mkdtempSync('/tmp/s-');
  const server = createServer();
  await new Promise<void>((listening) => void server.listen(`${dir}/s`, listening));
  linkSync(`${dir}/s`, path);
  await new Promise<void>((closed) => void server.close(() => closed()));
  rmSync(dir, { recursive: true, force: true });
}
