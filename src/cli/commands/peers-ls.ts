/** `shardctl peers ls`: the peers, where they are and how full. */
import { EXIT } from '../../errors.ts';
import type { Context } from '../context.ts';
import { peerStatuses, peerTable } from '../peer-status.ts';
import { answer } from '../results.ts';
import { reading } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  return await reading(context, async (session) => {
    const peers = await peerStatuses(context, session);
    answer(context, peers, () =>
      peers.length === 0
        ? ['no peers are set up: `shardctl add` will make one in the home, or use `shardctl peers add`']
        : peerTable(peers, true),
    );
    return EXIT.done;
  });
}
