/** Tells a daemon that is busy from one that hangs. */
import { setTimeout } from 'node:timers/promises';
import { ShardctlError } from '../../core/errors.ts';
import type { KuboRpc } from './rpc.ts';

/** An import answers nothing until it is done, and may have to wait for a garbage collection first. */
const PROBE_EVERY_MS = 30_000;
const PROBE_IDLE_MS = 30_000;
const PROBES = 3;

/**
 * Makes a call that may be silent for as long as the daemon still answers `version` meanwhile.
 * @param work is given a signal that is aborted with `signal`, or when the daemon does not answer any more
 */
export async function watched<T>(rpc: KuboRpc, what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const done = new AbortController();
  const hung = new AbortController();
  const both = AbortSignal.any([signal, hung.signal]);
  void watch(rpc, what, AbortSignal.any([done.signal, both]), hung).catch(() => {});
  try {
    return await work(both);
  } finally {
    done.abort();
  }
}

async function watch(rpc: KuboRpc, what: string, signal: AbortSignal, hung: AbortController): Promise<void> {
  for (let failed = 0; failed < PROBES; ) {
    // Not `sleep` of core: this timer must not keep the process alive.
    await setTimeout(PROBE_EVERY_MS, undefined, { signal, ref: false });
    try {
      await rpc.http.json(rpc.call('version', {}, { what, idleMs: PROBE_IDLE_MS, signal }));
      failed = 0;
    } catch {
      signal.throwIfAborted();
      failed++;
    }
  }
  const { who, address } = rpc.http;
  hung.abort(new ShardctlError('TOO_FEW_PEERS', `${who} (${address}) does not answer any more, ${what}`, { retryable: true }));
}
