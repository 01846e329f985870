/** What pages speak of beside the operator's own machine: Kubo daemons, and mirrors of others. */
import * as fs from 'node:fs';
import { KuboDaemon, KuboRepo, kuboBinary } from '../kubo.ts';
import type { OperatorsWorld } from '../operators-world.ts';
import { fixture, Program } from '../program.ts';
import { ServeProcess } from '../serve-process.ts';

/** Kubo daemons beside the world, and `ipfs` in it, which goes to a datastore of its own. */
export async function startKubo(
  world: OperatorsWorld,
  ...settings: Readonly<Record<string, unknown>>[]
): Promise<{ daemons: KuboDaemon[]; stop: () => Promise<void> }> {
  const dir = `${world.root}.kubo`;
  const { path } = KuboRepo.init(`${dir}/own`);
  fs.writeFileSync(world.at('bin/ipfs'), `#!/bin/sh\nIPFS_PATH="${path}" exec "${kuboBinary()}" "$@"\n`, { mode: 0o755 });
  const daemons = await Promise.all(settings.map((its, at) => KuboDaemon.start(`${dir}/${at}`, its)));
  const stop = async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
    fs.rmSync(dir, { recursive: true, force: true });
  };
  return { daemons, stop };
}

/** A mirror of somebody else, which he serves. */
export async function startOthers(
  name: string,
  ...options: string[]
): Promise<{ program: Program; serve: ServeProcess; stop: () => Promise<void> }> {
  const program = new Program();
  program.succeeds('add', fixture('debian'), '--name', name, '-q');
  const serve = await ServeProcess.start(program, '--listen', '127.0.0.1:0', ...options);
  const stop = async () => {
    await serve.stop();
    program.dispose();
  };
  return { program, serve, stop };
}
