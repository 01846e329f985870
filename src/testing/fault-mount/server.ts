/**
 * The process that a fault mount is served by: one of its own, so that a test which waits for the mount holds up nobody but itself.
 * In: the directory to show and where; then one line of JSON faults at a time on stdin. Out: a line when that holds. Unmounts when stdin ends, be it that
 * the test died.
 */
import { spawnSync } from 'node:child_process';
import { openSync, read, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadLibc } from '../../core/libc.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { FaultState } from './faults.ts';
import { PassThrough } from './pass-through.ts';
import { parseRequest, REQUEST_BYTES, reply } from './protocol.ts';

const [below = '', mountPoint = ''] = process.argv.slice(2);
const EIO = 5;
/** Between two reads from the device: the request was taken back, or a signal came. */
const AGAIN = new Set(['ENOENT', 'EINTR', 'EAGAIN']);

const faults = new FaultState();
process.umask(0);
const through = new PassThrough(toBytes(below), faults, await loadLibc());
const device = openSync('/dev/fuse', 'r+');
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions';
const mounted = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'fault-mount', mountPoint], {
  stdio: ['ignore', 'pipe', 'pipe', device],
  encoding: 'utf8',
});
if (mounted.status !== 0) {
  process.stderr.write(mounted.stderr || String(mounted.error));
  process.exit(1);
}

const buffer = Buffer.alloc(REQUEST_BYTES);
function serve(): void {
  read(device, buffer, 0, buffer.length, null, (error, bytes) => {
    if (error === null) answer(buffer.subarray(0, bytes));
    // ENODEV: it was unmounted.
    else if (!AGAIN.has(error.code ?? '')) leave();
    serve();
  });
}

function answer(bytes: Buffer): void {
  const request = parseRequest(bytes);
  let answered: Buffer | undefined;
  try {
    const body = through.answer(request);
    answered = body && reply(request.unique, 0, body);
  } catch (error) {
    const { errno } = error as { errno?: number };
    if (errno === undefined) console.error(error);
    answered = reply(request.unique, -(errno ?? -EIO));
  }
  try {
    if (answered !== undefined) writeSync(device, answered);
  } catch {
    // Whoever asked has been killed meanwhile.
  }
}

/** By SIGKILL: a thread of this process may still wait for the device. */
function leave(): void {
  spawnSync('umount', ['-l', mountPoint]);
  process.kill(process.pid, 'SIGKILL');
}

serve();
createInterface({ input: process.stdin })
  .on('line', (line) => {
    faults.set(line);
    console.log('set');
  })
  .on('close', leave);
