/** `shardctl serve`: package tools, IPFS nodes and people read the mirror over HTTP. */
import process from 'node:process';
import { EXIT } from '../../core/errors.ts';
import { isLoopback } from '../../serve/http/addresses.ts';
import type { Context } from '../command-line/context.ts';
import { type ServeOptions, serveOptionsOf } from '../steps/serve-options.ts';
import { serveHere } from '../steps/serving.ts';
import { superviseWorkers, supervisor } from '../steps/workers.ts';

export async function run(context: Context): Promise<number> {
  const { signal, reporter, output, quiet } = context;
  const options = serveOptionsOf(context);
  const above = supervisor();
  if (above !== undefined) {
    await serveHere(context, {
      options,
      signal: AbortSignal.any([signal, above.signal]),
      onReady: above.ready,
      siblings: above.siblings,
      hashingTurn: above.hashingTurn,
      onReload: (reload) => {
        above.onReload(reload);
        // systemd may send it to all processes of a unit. Each does what it is told once: reading files twice does no harm.
        process.on('SIGHUP', reload);
      },
    });
    return EXIT.done;
  }
  const onReload = (reload: () => void) => void process.on('SIGHUP', reload);
  const onReady = (urls: readonly string[]) => {
    if (quiet) return;
    output.note(`serving on ${urls.join(' and ')}`);
    for (const line of exposureOf(options)) output.note(line);
  };
  if (options.workers === 1) {
    await serveHere(context, { options, signal, onReady, onReload });
    return EXIT.done;
  }
  const onDeath = (message: string) => reporter.event({ type: 'warning', message });
  return await superviseWorkers({ count: options.workers, signal, onReady, onReload, onDeath });
}

/** What somebody should know who did not mean it. */
function exposureOf({ places, isSecure, readTokens }: ServeOptions): readonly string[] {
  if (places.every((place) => 'fd' in place || isLoopback(place.host))) return [];
  if (readTokens().isEmpty) return ['whoever reaches this may read every repository that is served'];
  return isSecure ? [] : ['tokens travel in the clear: give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that has them'];
}
