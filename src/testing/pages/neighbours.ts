/** What pages speak of beside the operator's own machine: Kubo daemons, and mirrors of others. */
import * as fs from 'node:fs';
import { KuboDaemon, KuboRepo, kuboBinary } from '../kubo.ts';
import type { OperatorsWorld } from '../operators-world.ts';
import { fixture, Program } from '../program.ts';
import { ServeProcess } from '../serve-process.ts';
import type { AtEnd } from './run-page.ts';

/** Kubo daemons beside the world, and `ipfs` in it, which goes to a datastore of its own. */
export async function startKubo(
  world: OperatorsWorld,
  atEnd: AtEnd,
  ...settings: Readonly<Record<string, unknown>>[]
): Promise<KuboDaemon[]> {
  const dir = `${world.root}.kubo`;
  atEnd(() => fs.rmSync(dir, { recursive: true, force: true }));
  const { path } = KuboRepo.init(`${dir}/own`);
  fs.writeFileSync(world.at('bin/ipfs'), `#!/bin/sh\nIPFS_PATH="${path}" exec "${kuboBinary()}" "$@"\n`, { mode: 0o755 });
  return await Promise.all(
    settings.map(async (its, at) => {
      const daemon = await KuboDaemon.start(`${dir}/${at}`, its);
      atEnd(() => daemon.stop('SIGKILL'));
      return daemon;
    }),
  );
}

/** A mirror of somebody else, which he serves. @param options of `serve` */
export async function startOthers(atEnd: AtEnd, name: string, ...options: string[]): Promise<{ program: Program; serve: ServeProcess }> {
  const program = new Program();
  atEnd(() => program.dispose());
  program.succeeds('add', fixture('debian'), '--name', name, '-q');
  const serve = await ServeProcess.start(program, '--listen', '127.0.0.1:0', ...options);
  atEnd(() => serve.stop());
  return { program, serve };
}
