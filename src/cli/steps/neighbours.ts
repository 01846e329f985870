/** Says which other homes use the same peers. */
import { hostname } from 'node:os';
import { displayText } from '../../core/display.ts';
import { ownerOf } from '../../home/identity.ts';
import { type Neighbour, neighboursOn } from '../../maintain/orphans.ts';
import type { Context } from '../command-line/context.ts';
import { counted } from '../reporter/text.ts';
import { reading } from '../session/session.ts';

/** Said after peers were added, so that nobody removes there what other homes need. @param names of the peers; all, when absent */
export async function tellNeighbours(context: Context, names?: readonly string[]): Promise<void> {
  if (context.quiet || context.json) return;
  const { id } = ownerOf(context.home, hostname());
  await reading(context, async ({ peers }) => {
    const asked = new Map([...peers].filter(([name]) => names?.includes(name) !== false));
    const others = (await neighboursOn(asked, id, (event) => context.reporter.event(event))).filter(({ isThis }) => !isThis);
    for (const other of others) context.output.note(`peer ${other.peer} is used by ${neighbourText(other)} too`);
  });
}

export function neighbourText({ id, host, path, seen, shards }: Neighbour): string {
  const where = path === undefined ? '' : ` (${displayText(`${host}:${path}`)}, last seen ${seen?.slice(0, 10)})`;
  return `home ${id}${where}, with ${counted(shards, 'shard')}`;
}
