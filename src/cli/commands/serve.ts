/** `shardctl serve`: package tools, IPFS nodes and people read the mirror over HTTP. */
import { once } from 'node:events';
import { EXIT } from '../../core/errors.ts';
import { readIdentity } from '../../home/identity.ts';
import { Index } from '../../index/index.ts';
import { Access } from '../../serve/access/access.ts';
import { Tokens } from '../../serve/access/tokens.ts';
import { ServedHome } from '../../serve/home/served-home.ts';
import { serverOf } from '../../serve/http/server.ts';
import { ServeMetrics } from '../../serve/status/serve-metrics.ts';
import type { Context } from '../command-line/context.ts';
import { reading } from '../session/session.ts';
import { statusSource } from '../steps/status-source.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, signal, reporter } = context;
  return await reading(context, async ({ config, peers }) => {
    const mirror = await ServedHome.open({
      openIndex: () => Index.open(home.index, { readOnly: true }),
      peers,
      names: args.positionals,
      cache: home.cache,
      onTrouble: (message, cause) => reporter.event({ type: 'warning', message, cause }),
    });
    const app = serverOf({
      mirror,
      access: new Access({ mirror, tokens: Tokens.NONE, names: args.positionals, onTrouble: () => {}, signal }),
      signal,
      metrics: new ServeMetrics(),
      status: statusSource(context, config),
      routing: { announced: undefined, home: readIdentity(home)?.id ?? home.index },
    });
    const [host = '127.0.0.1', port = '8080'] = (args.text('listen') ?? '127.0.0.1:8080').split(':');
    context.output.note(`serving on ${await app.listen({ host, port: Number(port) })}`);
    if (!signal.aborted) await once(signal, 'abort');
    await app.close();
    await mirror.close();
    return EXIT.done;
  });
}
