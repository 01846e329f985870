/**
 * Run by the crash tests in a process of its own: `prune`, `repair`, `drain` (of peer `one`), `rebalance`, `rm` (of repository `test`),
 * `rename` (of it, to `new`) or `add` (of the directory `argv[4]`) on the home `argv[2]`.
 */
import { ShardctlError } from '../core/errors.ts';
import { repair } from '../maintain/repair/repair.ts';
import { drainHome, rebalanceHome } from './moving.ts';
import { pruneHome, pruneRun, removeFrom, renameIn, SHARD_BYTES, withIndex } from './retention.ts';
import { TestHome } from './run.ts';

const [, , dir = '', action = '', source = ''] = process.argv;
const home = TestHome.at(dir, action === 'drain' || action === 'rebalance' ? ['one', 'two', 'three'] : ['one', 'two']);
const replication = { min: 2, max: 2 };
try {
  if (action === 'prune') await pruneHome(home, { replication });
  else if (action === 'repair')
    await withIndex(home, (index) => repair({ ...pruneRun(home, index, { replication }), readData: true, dryRun: false }));
  else if (action === 'drain') await drainHome(home, 'one', { replication });
  else if (action === 'rebalance') await rebalanceHome(home, { replication });
  else if (action === 'rm') await removeFrom(home, ['test']);
  else if (action === 'rename') await renameIn(home, 'test', 'new');
  else await home.add(source, { replication, shardBytes: SHARD_BYTES });
} catch (error) {
  // What a user would see as a clear error is one; anything else is a bug, and ends with a stack.
  const { code } = error as { code?: unknown };
  if (!(error instanceof ShardctlError) && typeof code !== 'string') throw error;
  console.error(String(error));
  process.exitCode = 43;
}
