/** `shardctl prune --orphans`: who uses the peers, and what of it no living home needs. */
import { hostname } from 'node:os';
import { EXIT } from '../../core/errors.ts';
import { ownerOf } from '../../home/identity.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import { type Orphans, orphans } from '../../maintain/orphans.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { counted } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { reading, type Session, writing } from '../session/session.ts';
import { neighbourText } from '../steps/neighbours.ts';

export async function pruneOrphans(context: Context): Promise<number> {
  const { args, home, json, quiet, reporter, signal } = context;
  const dead = args.text('owner');
  const dryRun = !args.flag('force') || args.flag('dry-run');
  if (dead !== undefined && !/^[0-9a-f]{12}$/.test(dead)) throw usage(`--owner ${dead}: not the ID of a home`, args.command);
  const work = async ({ index, peers }: Session) => {
    const { id: self } = ownerOf(home, hostname());
    const found = await orphans({ index, peers, self, dead, dryRun, emit: (event) => reporter.event(event), signal });
    if (args.flag('gc') && !dryRun) await reclaim(peers, (event) => reporter.event(event));
    if (!quiet || json) answer(context, [{ type: 'orphans', ...found }], () => lines(found, dead));
    return EXIT.done;
  };
  return dryRun ? await reading(context, work) : await writing(context, work);
}

function lines({ dryRun, neighbours, peers }: Orphans, dead: string | undefined): string[] {
  const whose = dead === undefined ? 'that no home has marked' : `that only home ${dead} has marked`;
  const out = [
    ...neighbours.map(
      (it) => `peer ${it.peer}: ${it.isThis ? 'this ' : ''}${neighbourText(it)}, ${counted(it.alone, 'shard')} that no other home needs`,
    ),
    ...peers.map(({ peer, freed, kept }) => {
      const stay = kept === 0 ? '' : `, ${counted(kept, 'shard')} of it kept for other homes`;
      return `peer ${peer}: ${dryRun ? 'to be freed' : 'freed'}: ${counted(freed, 'shard')} ${whose}${stay}`;
    }),
  ];
  if (dryRun)
    out.push(
      'nothing was freed: --force does that. A home that has not run since it was upgraded has marked nothing yet: run it first, else its shards count as nobody’s',
    );
  return out;
}
