/** Clients that load a server: wrk for many small files, curl for few large ones, because wrk reads 8 KiB at a time and would be what is measured. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Command } from '../src/measure/measure.ts';

export interface Load {
  readonly seconds: number;
  readonly requests: number;
  /** Of bodies and headers, as the client counts them. */
  readonly bytes: number;
  /** 99 of 100 answers came within it. Absent where each answer takes as long as its file is large. */
  readonly p99Ms?: number;
}

/** It prints its version, and ends as if that were a mistake. */
export const WRK: Command = { argv: ['sh', '-c', 'command -v wrk > /dev/null && wrk --version | head -n 1'] };
export const CURL: Command = { argv: ['curl', '--version'] };
/** Requests that wrk has under way at once. */
const CONNECTIONS = 32;
/** Downloads that curl has under way at once. */
const DOWNLOADS = 4;

/** Asks for one path after another, from the last again to the first, for so many seconds. @param scratch path of files that it may write */
export async function loadByWrk(urls: readonly string[], seconds: number, scratch: string, signal: AbortSignal): Promise<Load> {
  const script = `${scratch}.lua`;
  writeFileSync(`${scratch}.paths`, urls.map((url) => `${new URL(url).pathname}\n`).join(''));
  writeFileSync(script, scriptOf(`${scratch}.paths`));
  const { origin } = new URL(urls[0] as string);
  const said = await outputOf(['wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '30s', '-s', script, origin], signal);
  const { errors, ...load } = JSON.parse(said.slice(said.lastIndexOf('\n{'))) as Load & { errors: number };
  if (errors > 0) throw new Error(`${origin}: ${errors} of ${load.requests} requests failed`);
  return load;
}

export async function loadByCurl(urls: readonly string[], bytes: number, signal: AbortSignal): Promise<Load> {
  const targets = urls.flatMap((url) => ['-o', '/dev/null', url]);
  const start = performance.now();
  await outputOf(['curl', '--silent', '--show-error', '--fail', '--parallel', '--parallel-max', String(DOWNLOADS), ...targets], signal);
  return { seconds: (performance.now() - start) / 1000, requests: urls.length, bytes };
}

/** All requests are made before the first is sent: while it measures, wrk only picks the next. */
function scriptOf(paths: string): string {
  return `local requests, at = {}, 0
function init()
  for path in io.lines('${paths}') do requests[#requests + 1] = wrk.format('GET', path) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"seconds":%f,"requests":%d,"bytes":%d,"p99Ms":%f,"errors":%d}\\n', summary.duration / 1e6, summary.requests,
    summary.bytes, latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

async function outputOf([file, ...args]: readonly [string, ...string[]], signal: AbortSignal): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr.slice(-500)}`);
  return stdout;
}
