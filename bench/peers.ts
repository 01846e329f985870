/** `npm run bench -- peers|slow`: a whole tree into real daemons, fresh ones for each turn. They take part in what is measured: client and daemons share the cores. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../src/measure/report.ts';
import { writeBack } from '../src/measure/timed-run.ts';
import type { Contestant } from './contestants.ts';
import type { Corpus } from './corpus.ts';
import { type LabMember, startLab } from './lab.ts';
import { lineTo } from './line.ts';
import type { Plan } from './rounds.ts';
import { measure } from './tools.ts';

export type TurnPlan = Omit<Plan, 'tools' | 'again'>;

export async function runPeers(corpus: Corpus, contestants: readonly Contestant[], plan: TurnPlan): Promise<Run[]> {
  const runs: Run[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const contestant of contestants) {
      const run = await takeTurn(corpus, contestant, round, plan);
      runs.push(run);
      plan.log(
        `${corpus.name} round ${round}  ${contestant.name}: ${run.seconds.toFixed(2)} s, daemons ${run.daemonSeconds?.toFixed(2)} s of processor time`,
      );
    }
  }
  return runs;
}

async function takeTurn(corpus: Corpus, contestant: Contestant, round: number, { dest, signal }: TurnPlan): Promise<Run> {
  mkdirSync(dest, { recursive: true });
  const log = join(dest, 'log');
  const lab = await startLab(join(dest, 'lab'), contestant.lab);
  const last = lab.members.at(-1) as LabMember;
  const line = contestant.line && (await lineTo(last.kubo, contestant.line));
  const members = line === undefined ? lab.members : [...lab.members.slice(0, -1), { ...last, kubo: line.url }];
  try {
    for (const command of contestant.prepare(members, dest)) await measure(command, log, signal);
    writeBack();
    const before = lab.cpuSeconds();
    const cost = await measure(contestant.timed(members, dest, corpus.dir), log, signal);
    const daemonSeconds = lab.cpuSeconds() - before;
    return { corpus: corpus.name, tool: contestant.name, phase: contestant.group, round, ...cost, daemonSeconds };
  } finally {
    await line?.close();
    await lab.stop();
    rmSync(dest, { recursive: true, force: true });
  }
}
