/** docs/three-in-the-morning.md is true: each fault is made, the mail is the one of the page, and its commands help. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { oneIn } from '../testing/depth.ts';
import { KuboDaemon, kuboBinary } from '../testing/kubo.ts';
import { BIN, fixture } from '../testing/program.ts';

const PAGE = fs.readFileSync(fileURLToPath(new URL('../../../docs/three-in-the-morning.md', import.meta.url)), 'utf8');
const DISK_BYTES = 96 * 1024 * 1024;
const sample = oneIn(5);

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
  readonly needs?: 'root' | 'kubo';
}

const SECTIONS = PAGE.split(/^## /m).slice(1).map(sectionOf);

function sectionOf(text: string): Section {
  const [title = ''] = text.split('\n', 1);
  const [, command, code] = /^`(shardctl [^`]+)` ends with (\d+)/m.exec(text) ?? [];
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)\n```$/gms)];
  const commands = blocks.filter(([, kind]) => kind === 'sh').flatMap(([, , lines = '']) => lines.split('\n'));
  const said = blocks.filter(([, kind]) => kind === '').map(([, , lines = '']) => lines);
  const mail = command === undefined ? null : { command, code: Number(code), text: said.length > 1 ? (said[0] as string) : '…' };
  return { title, mail, commands, good: said.at(-1) };
}

/** The places of the page are in here. */
let world: string;
/** How they are before each fault. */
let untouched: string;
let daemon: KuboDaemon | undefined;

function at(path: string): string {
  return join(world, path);
}

function sh(command: string): { code: number | null; said: string } {
  const here = command.replaceAll(/(?<=^|[\s=])\/(?=mnt|srv|var)/g, `${world}/`);
  const env = { ...process.env, SHARDCTL_HOME: at('var/lib/shardctl'), PATH: `${at('bin')}${delimiter}${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync('sh', ['-c', here], { cwd: world, env, encoding: 'utf8' });
  return { code: status, said: `${stderr}${stdout}`.replaceAll(world, '') };
}

function shardctl(words: string): void {
  const { code, said } = sh(`shardctl ${words}`);
  assert.equal(code, 0, `${words}: ${said}`);
}

/** `…` stands for anything. */
function assertSays(said: string, expected: string): void {
  const pattern = expected
    .split('…')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll(' ', '\\s+'))
    .join('.*');
  assert.match(said, new RegExp(`^${pattern}`, 'm'));
}

function makeWorld(): void {
  for (const dir of ['srv', 'mnt', 'var/lib', 'bin']) fs.mkdirSync(at(dir), { recursive: true });
  fs.symlinkSync(BIN, at('bin/shardctl'));
  fs.cpSync(fixture('debian'), at('srv/debian'), { recursive: true, verbatimSymlinks: true });
  for (const disk of ['disk1', 'disk2', 'disk3']) shardctl(`peers add local /mnt/${disk} --name ${disk}`);
  shardctl('add /srv/debian --replication 2 --gate auto -q');
  fs.writeFileSync(at('srv/debian/NEWS'), 'news\n');
  shardctl('update -q');
}

/** To the nanosecond, which `fs.cpSync` does not do: nothing in the source looks changed. */
function copyWithTimes(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', `${from}/.`, to], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

function empty(): void {
  for (const name of fs.readdirSync(world)) fs.rmSync(at(name), { recursive: true, force: true });
}

function overwrite(path: string, position: number, bytes: number): void {
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, position);
  fs.closeSync(fd);
}

function shardsOn(disk: string): string[] {
  const files = fs.readdirSync(at(`mnt/${disk}`), { recursive: true, encoding: 'utf8' });
  return files.map((file) => at(`mnt/${disk}/${file}`)).filter((file) => file.endsWith('.car') && fs.statSync(file).size > 20_000);
}

/** As old as packages are: the gate holds back those that are younger than the archive's own traces. @param more than there should be */
function writePackage(more: string): void {
  const path = 'pool/main/s/sl/sl_5.02-1+b1_amd64.deb';
  const old = new Date('2024-01-01');
  fs.writeFileSync(at(`srv/debian/${path}`), Buffer.concat([fs.readFileSync(join(fixture('debian'), path)), Buffer.from(more)]));
  fs.utimesSync(at(`srv/debian/${path}`), old, old);
}

async function withDaemon(): Promise<void> {
  daemon = await KuboDaemon.start(at('mnt/attic'));
  shardctl(`peers add kubo ${daemon.url} --name attic`);
  shardctl('repair');
}

/** All of the world is on one small disk, as it is with small mirrors. */
function fillDisk(): void {
  empty();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', world]);
  assert.equal(status, 0);
  makeWorld();
  const noise = randomBytes(16 * 1024 * 1024);
  fs.writeFileSync(at('srv/debian/large'), noise);
  shardctl('update -q');
  fs.rmSync(at('srv/debian/large'));
  shardctl('update -q');
  fs.writeFileSync(at('srv/debian/other'), randomBytes(1024 * 1024));
  const fd = fs.openSync(at('of-others'), 'w');
  assert.throws(() => {
    for (let piece = Buffer.alloc(1024 * 1024); ; ) fs.writeSync(fd, piece);
  }, /ENOSPC/);
  fs.closeSync(fd);
}

const aDisk = 'mnt/disk1';
const elsewhere = 'srv/not-mounted';

const FAULTS: Readonly<Record<string, Fault>> = {
  'A disk is dead': { make: () => fs.rmSync(at(aDisk), { recursive: true }) },
  'The home is lost': { make: () => fs.rmSync(at('var/lib/shardctl'), { recursive: true }) },
  'A disk is full': { make: fillDisk, needs: 'root' },
  'The index is damaged': { make: () => overwrite(at('var/lib/shardctl/index/tables/data.mdb'), 0, 65_536) },
  'The list of blocks is damaged': {
    make: () => {
      overwrite(at('var/lib/shardctl/index/blocks/0000000000.run'), 200, 16);
      fs.writeFileSync(at('srv/debian/more'), 'more\n');
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
      fs.renameSync(at('srv/debian'), at(elsewhere));
      fs.mkdirSync(at('srv/debian'));
      fs.writeFileSync(at('srv/debian/NEWS'), 'news\n');
    },
    byHand: () => {
      fs.rmSync(at('srv/debian'), { recursive: true });
      fs.renameSync(at(elsewhere), at('srv/debian'));
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
      shardctl('publish debian');
    },
  },
  'A repository was removed by mistake': { make: () => shardctl('rm debian') },
  'A snapshot was forgotten by mistake': { make: () => shardctl('forget debian 1') },
  'The settings are damaged': { make: () => fs.truncateSync(at('var/lib/shardctl/config.json'), 40) },
  'Another run has the lock': { make: () => {} },
};

before(() => {
  world = fs.mkdtempSync(join(tmpdir(), 'shardctl-three-'));
  untouched = `${world}.untouched`;
  makeWorld();
  copyWithTimes(world, untouched);
});

beforeEach(() => {
  empty();
  copyWithTimes(untouched, world);
});

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon = undefined;
  if (fs.existsSync(at('of-others'))) spawnSync('umount', ['-l', world]);
});

after(() => {
  for (const dir of [world, untouched]) fs.rmSync(dir, { recursive: true, force: true });
});

test('each trouble of the page is made here', () => {
  assert.deepEqual(
    SECTIONS.map(({ title }) => title),
    Object.keys(FAULTS),
  );
});

for (const { title, mail, commands, good } of SECTIONS) {
  if (commands.length === 0) continue;
  test(title, { skip: sample() }, async (t) => {
    const { make, byHand, needs } = FAULTS[title] as Fault;
    if (needs === 'root' && process.getuid?.() !== 0) return t.skip('needs root, to mount a small file system');
    if (needs === 'kubo' && kuboBinary() === undefined) return t.skip('needs a Kubo: docs/development.md');
    await make();
    if (mail !== null) {
      const { code, said } = sh(mail.command);
      assert.equal(code, mail.code, said);
      assertSays(said, mail.text);
    }
    await byHand?.();
    let last = '';
    // A variable that one line sets is there for the next ones.
    let variables = '';
    for (const command of commands) {
      const { code, said } = sh(`${variables}${command}`);
      assert.equal(code, 0, `${command}\n${said}`);
      if (/^\w+=/.test(command)) variables += `${command}\n`;
      last = said;
    }
    assert.ok(good !== undefined);
    assertSays(last, good);
  });
}
