/**
 * Ten days on three mirrors, driven by the shipped units and crontab lines alone, while disks die and fill, syncs stop half-way and runs
 * are killed: there is a mail only when one is due, what is published is whole, nothing that is kept is lost, and at the end all is as it
 * should be, without any command by a person.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampled } from '../testing/depth.ts';
import { without } from '../testing/package-tools/required.ts';
import { TEN_DAYS, TWO_DAYS } from '../testing/ten-days/calendar.ts';
import { withoutMachine } from '../testing/ten-days/machine.ts';
import { World } from '../testing/ten-days/world.ts';

const DAYS = sampled(0, 1) === 1 ? TEN_DAYS : TWO_DAYS;
const SKIP = withoutMachine() || without('apt', 'apt-ftparchive', 'dpkg-deb', 'gpg', 'gpgv') || without('rsync', 'rsync');

test(`${DAYS.length} days by units and crontab lines`, { skip: SKIP }, async (t) => {
  const world = new World(Number(process.env.SHARDCTL_DAYS_SEED ?? 1));
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
        await world.assertNothingLost([world.pickMirror()]);
      });
    }
    await t.test('at the end all is as it should be', async () => {
      await world.assertNothingLost(['debian', 'npm', 'pypi']);
      await world.machine.types('shardctl verify --read-data -q');
      await world.machine.types('shardctl status --at-risk -q');
    });
    const { jobs, killed, snapshots, reads, packages } = world.tally;
    t.diagnostic(`${jobs} jobs, ${killed} killed; ${snapshots} snapshots, ${reads} read back; ${packages} packages read by clients`);
  } catch (error) {
    t.diagnostic(world.journal());
    throw error;
  } finally {
    await world.dispose();
  }
});
