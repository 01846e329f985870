/**
 * Ten days on three mirrors, driven by the shipped units and crontab lines alone, while disks die and fill, syncs stop half-way and runs
 * are killed: there is a mail only when one is due, what is published is whole, nothing that is kept is lost, and at the end all is as it
 * should be, without any command by a person.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { without } from '../testing/package-tools/required.ts';
import { type Day, TEN_DAYS } from '../testing/ten-days/calendar.ts';
import { Machine, withoutMachine } from '../testing/ten-days/machine.ts';
import { World } from '../testing/ten-days/world.ts';

/** For example `5,6`: these days of the ten alone. */
const CHOSEN = process.env.SHARDCTL_DAYS?.split(',').map((day) => TEN_DAYS[Number(day) - 1] as Day);
const DAYS = CHOSEN ?? TEN_DAYS;
const MISSING = withoutMachine() || without('apt', 'apt-ftparchive', 'dpkg-deb', 'gpg', 'gpgv') || without('rsync', 'rsync');

test(`${DAYS.length} days by units and crontab lines`, { skip: CHOSEN === undefined ? onlyInAll(MISSING) : MISSING }, async (t) => {
  const machine = new Machine();
  t.after(() => machine.dispose());
  const world = new World(machine, Number(process.env.SHARDCTL_DAYS_SEED ?? 1));
  try {
    await world.setUp();
    for (const [at, { is, by, at: happens, mails }] of DAYS.entries()) {
      await t.test(`day ${at + 1}, by ${by}: ${is}`, async () => {
        for (let hour = 0; hour < 24; hour++) await world.pass(at * 24 + hour, by, happens?.[hour]);
        const got = world.mails.splice(0);
        assert.deepEqual(
          got.map(({ line }) => line),
          mails,
          got.map(({ line, text }) => `${line}\n${text}`).join(''),
        );
        await world.assertNothingLost([world.anyMirror()], 4);
        world.tally.days++;
      });
    }
    await t.test('at the end all is as it should be', async () => {
      await world.assertNothingLost();
      await machine.types('shardctl verify --read-data -q');
      await machine.types('shardctl status --at-risk -q');
    });
    const { jobs, killed, reads, packages } = world.tally;
    t.diagnostic(`${jobs} jobs, ${killed} killed; ${world.snapshots} snapshots, ${reads} read back; ${packages} packages read by clients`);
  } finally {
    if (DAYS.length > world.tally.days) t.diagnostic(`the journal ends with\n${world.journal()}`);
    await world.dispose();
  }
});
