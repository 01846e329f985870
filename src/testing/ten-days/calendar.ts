/** What happens on which day, and which mails are due. Between these things the mirrors change in most hours. */
import type { World } from './world.ts';

export interface Day {
  readonly is: string;
  /** Who runs the jobs. */
  readonly by: 'systemd' | 'cron';
  /** At the full hour, after the sync and before the jobs. */
  readonly at?: Readonly<Record<number, (world: World) => void | Promise<void>>>;
  /** `HOUR JOB CODE`: each mail of the day, in this order. */
  readonly mails: readonly string[];
}

const quiet: Day = { is: 'nothing but changes', by: 'systemd', mails: [] };

const tornSyncs: Day = {
  is: 'a sync of each mirror is stopped half-way, one for two hours',
  by: 'cron',
  at: {
    5: (world) => world.tear('debian'),
    9: (world) => world.tear('npm'),
    10: (world) => world.tear('npm'),
    16: (world) => world.tear('pypi'),
  },
  mails: ['5 update 26', '9 update 26', '10 update 26', '16 update 26'],
};

const killedRuns: Day = {
  is: 'runs are killed, early, in the middle, and at their end',
  by: 'systemd',
  at: Object.fromEntries([2, 8, 14, 20].map((hour, i) => [hour, (world: World) => world.kill([3, 20, 45, 70][i] as number)])),
  mails: [],
};

const sourceAway: Day = {
  is: 'the disk of a mirror is not mounted for three hours',
  by: 'cron',
  at: { 6: (world) => world.detach('npm'), 9: (world) => world.attach('npm') },
  mails: ['6 update 25', '7 update 25', '8 update 25'],
};

const fullDisks: Day = {
  is: 'the disk of a peer is full for the morning, that of the home for two hours of the evening',
  by: 'cron',
  at: {
    4: (world) => world.fill('a'),
    11: (world) => world.makeRoom('a'),
    18: (world) => world.fill('home'),
    20: (world) => world.makeRoom('home'),
  },
  mails: ['4 update 0', '18 update 43', '19 update 43'],
};

const restarts: Day = {
  is: 'a disk is away for three hours, which nobody need know; then another one dies',
  by: 'cron',
  at: { 3: (world) => world.detach('d'), 6: (world) => world.attach('d'), 8: (world) => world.detach('b') },
  mails: ['14 update 0'],
};

const diskDead: Day = { is: 'the disk stays dead, and keeps the daily check from ending with 0', by: 'systemd', mails: ['0 check 42'] };

const diskBack: Day = {
  is: 'the disk comes back with what it had',
  by: 'cron',
  at: { 10: (world) => world.attach('b') },
  mails: ['3 check 42', '10 update 0'],
};

const quietByCron: Day = { ...quiet, by: 'cron' };

export const TEN_DAYS: readonly Day[] = [
  quiet,
  tornSyncs,
  killedRuns,
  sourceAway,
  fullDisks,
  restarts,
  diskDead,
  diskBack,
  quiet,
  quietByCron,
];
