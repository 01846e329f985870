/** `shardctl peers ls`: the peers, where they are and how full. */
import { EXIT } from '../../core/errors.ts';
import type { Context } from '../command-line/context.ts';
import { answer } from '../results/results.ts';
import { reading } from '../session/session.ts';
import { peerStatuses, peerTable } from '../steps/peer-status.ts';

export async function run(context: Context): Promise<number> {
  return await reading(context, async (session) => {
    const peers = await peerStatuses(context, session);
    answer(context, peers, () =>
      peers.length === 0
        ? ['no peers are set up: `shardctl add` will make one in the home, or use `shardctl peers add`']
        : peerTable(peers, { isLong: true, columns: context.output.columns }),
    );
    return EXIT.done;
  });
}
