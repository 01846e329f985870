/** docs/three-in-the-morning.md is true: each fault is made, the mail is the one of the page, and its commands help. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemProcesses } from '../cli/session/process-table.ts';
import { acquireLock } from '../home/lock.ts';
import { oneIn } from '../testing/depth.ts';
import { KuboDaemon, kuboBinary } from '../testing/kubo.ts';
import { OperatorsWorld } from '../testing/operators-world.ts';
import { fixture } from '../testing/program.ts';

const PAGE = fs.readFileSync(fileURLToPath(new URL('../../../docs/three-in-the-morning.md', import.meta.url)), 'utf8');
const DISK_BYTES = 96 * 1024 * 1024;
const sample = oneIn(7);

interface Section {
  readonly title: string;
  /** What cron runs, its exit code, and what it says; null where nobody is told. */
  readonly mail: { readonly command: string; readonly code: number; readonly text: string } | null;
  readonly commands: readonly string[];
  /** What the last command prints when all is well; absent where there is nothing to do. */
  readonly good: string | undefined;
}

/** What makes a fault, and what the page tells the reader to do by hand before he runs its commands. */
interface Fault {
  readonly make: () => void | Promise<void>;
  readonly byHand?: () => void | Promise<void>;
  readonly needs?: 'small disk' | 'kubo';
}

const [INTRODUCTION = '', ...REST] = PAGE.split(/^## /m);
const SECTIONS = REST.map(sectionOf);

function sectionOf(text: string): Section {
  const [title = ''] = text.split('\n', 1);
  const [, command, code] = /^`(shardctl [^`]+)` ends with (\d+)/m.exec(text) ?? [];
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)\n```$/gms)];
  const commands = blocks.filter(([, kind]) => kind === 'sh').flatMap(([, , lines = '']) => lines.split('\n'));
  const said = blocks.filter(([, kind]) => kind === '').map(([, , lines = '']) => lines);
  if (command === undefined) return { title, mail: null, commands, good: said.at(-1) };
  const [mailed = '', ...others] = said;
  return { title, mail: { command, code: Number(code), text: mailed }, commands, good: others.at(-1) };
}

let world: OperatorsWorld;
let daemon: KuboDaemon | undefined;

/** `…` stands for anything. */
function assertSays(said: string, expected: string): void {
  const pattern = expected
    .split('…')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll(' ', '\\s+'))
    .join('.*');
  assert.match(said, new RegExp(`^${pattern}`, 'm'));
}

function overwrite(path: string, position: number, bytes: number): void {
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, position);
  fs.closeSync(fd);
}

function shardsOn(disk: string): string[] {
  const files = fs.readdirSync(world.at(`mnt/${disk}`), { recursive: true, encoding: 'utf8' });
  return files.map((file) => world.at(`mnt/${disk}/${file}`)).filter((file) => file.endsWith('.car') && fs.statSync(file).size > 20_000);
}

/** As old as packages are: the gate holds back those that are younger than the archive's own traces. @param more than there should be */
function writePackage(more: string): void {
  const path = 'pool/main/s/sl/sl_5.02-1+b1_amd64.deb';
  const old = new Date('2024-01-01');
  fs.writeFileSync(world.at(`srv/debian/${path}`), Buffer.concat([fs.readFileSync(join(fixture('debian'), path)), Buffer.from(more)]));
  fs.utimesSync(world.at(`srv/debian/${path}`), old, old);
}

async function withDaemon(): Promise<void> {
  daemon = await KuboDaemon.start(world.at('mnt/attic'));
  world.shardctl(`peers add kubo ${daemon.url} --name attic`);
  world.shardctl('repair');
}

/** All of the world is on one small disk, as it is with small mirrors. */
function mountsSmallDisk(): boolean {
  world.empty();
  return process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', world.root]).status === 0;
}

function fillDisk(): void {
  world.make();
  const noise = randomBytes(16 * 1024 * 1024);
  fs.writeFileSync(world.at('srv/debian/large'), noise);
  world.shardctl('update -q');
  fs.rmSync(world.at('srv/debian/large'));
  world.shardctl('update -q');
  fs.writeFileSync(world.at('srv/debian/other'), randomBytes(1024 * 1024));
  const fd = fs.openSync(world.at('of-others'), 'w');
  assert.throws(() => {
    for (let piece = Buffer.alloc(1024 * 1024); ; ) fs.writeSync(fd, piece);
  }, /ENOSPC/);
  fs.closeSync(fd);
}

const aDisk = 'mnt/disk1';
const elsewhere = 'srv/not-mounted';

const FAULTS: Readonly<Record<string, Fault>> = {
  'A disk is dead': { make: () => fs.rmSync(world.at(aDisk), { recursive: true }) },
  'The home is lost': { make: () => fs.rmSync(world.at('var/lib/shardctl'), { recursive: true }) },
  'A disk is full': { make: fillDisk, needs: 'small disk' },
  'The index is damaged': { make: () => overwrite(world.at('var/lib/shardctl/index/tables/data.mdb'), 0, 65_536) },
  'The list of blocks is damaged': {
    make: () => {
      overwrite(world.at('var/lib/shardctl/index/blocks/0000000000.run'), 200, 16);
      fs.writeFileSync(world.at('srv/debian/more'), 'more\n');
    },
  },
  'A shard is damaged on every disk that has it': {
    make: () => {
      for (const shard of ['disk1', 'disk2', 'disk3'].flatMap(shardsOn)) overwrite(shard, 5000, 4);
    },
  },
  'An update is held back': { make: () => writePackage('half'), byHand: () => writePackage('') },
  'The mirror is not there': {
    make: () => {
      fs.renameSync(world.at('srv/debian'), world.at(elsewhere));
      fs.mkdirSync(world.at('srv/debian'));
      fs.writeFileSync(world.at('srv/debian/NEWS'), 'news\n');
    },
    byHand: () => {
      fs.rmSync(world.at('srv/debian'), { recursive: true });
      fs.renameSync(world.at(elsewhere), world.at('srv/debian'));
    },
  },
  'A daemon does not answer': {
    needs: 'kubo',
    make: async () => {
      await withDaemon();
      await daemon?.stop('SIGKILL');
    },
    byHand: () => daemon?.start(),
  },
  'A bad snapshot is published': {
    needs: 'kubo',
    make: async () => {
      await withDaemon();
      world.shardctl('publish debian');
    },
  },
  'A repository was removed by mistake': { make: () => world.shardctl('rm debian') },
  'A snapshot was forgotten by mistake': { make: () => world.shardctl('forget debian 1') },
  'The settings are damaged': { make: () => fs.truncateSync(world.at('var/lib/shardctl/config.json'), 40) },
  'Another run has the lock': {
    make: async () => {
      const holder = { command: 'shardctl update debian', processes: systemProcesses(), now: Date.now, waitMs: 0 };
      await acquireLock(world.at('var/lib/shardctl/lock'), holder);
    },
  },
};

before(() => {
  world = new OperatorsWorld();
});

beforeEach(() => world.restore());

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon = undefined;
  spawnSync('umount', ['-l', world.root]);
});

after(() => world.dispose());

test('each trouble of the page is made here', () => {
  assert.deepEqual(
    SECTIONS.map(({ title }) => title),
    Object.keys(FAULTS),
  );
});

test('each section says what the mail says, and what is printed when all is well', () => {
  const one = 'A\n\n`shardctl update` ends with 40:\n\n```\nshardctl: …\n```\n\n```sh\nshardctl status\n```\n';
  assert.equal(sectionOf(one).good, undefined);
  for (const { title, mail, commands, good = '' } of SECTIONS) {
    for (const text of [mail?.text ?? good, commands.length > 0 ? good : (mail?.text ?? '')])
      assert.match(text.replaceAll('…', ''), /\w{4}/, title);
  }
});

test('what to know first', () => {
  const { commands } = sectionOf(INTRODUCTION);
  assert.notEqual(commands.length, 0);
  for (const command of commands) assert.equal(world.sh(command).code, 0, command);
});

for (const { title, mail, commands, good } of SECTIONS) {
  test(title, { skip: sample() }, async (t) => {
    const { make, byHand, needs } = FAULTS[title] as Fault;
    if (needs === 'small disk' && !mountsSmallDisk()) return t.skip('needs root, to mount a small file system');
    if (needs === 'kubo' && kuboBinary() === undefined) return t.skip('needs a Kubo: docs/development.md');
    await make();
    if (mail !== null) {
      const { code, said } = world.sh(mail.command);
      assert.equal(code, mail.code, said);
      assertSays(said, mail.text);
    }
    await byHand?.();
    let last = '';
    // A variable that one line sets is there for the next ones.
    let variables = '';
    // Where nothing helps but to wait, the page says so.
    if (commands.length === 0) return;
    for (const command of commands) {
      const { code, said } = world.sh(`${variables}${command}`);
      assert.equal(code, 0, `${command}\n${said}`);
      if (/^\w+=/.test(command)) variables += `${command}\n`;
      last = said;
    }
    assert.ok(good !== undefined);
    assertSays(last, good);
  });
}
