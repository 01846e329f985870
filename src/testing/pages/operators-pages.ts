/** The pages for operators whose commands are run, each with what it needs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseCommandLine } from '../../cli/command-line/args.ts';
import { EXIT } from '../../core/errors.ts';
import { type KuboDaemon, kuboBinary } from '../kubo.ts';
import { withoutMounts } from '../mount-process.ts';
import type { OperatorsWorld } from '../operators-world.ts';
import { missing, without } from '../package-tools/required.ts';
import { ServeProcess } from '../serve-process.ts';
import { startKubo, startOthers } from './neighbours.ts';
import type { AtEnd, PageHere, Words } from './run-page.ts';

export interface OperatorsPage extends PageHere {
  /** Why it cannot be run here, or false. */
  readonly without?: () => string | false;
}

const textOf = (path: string) => fs.readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
const UNITS = fileURLToPath(new URL('../../../../docs/systemd/', import.meta.url));

/** As old as some pages have it: the head is debian@7. */
function makeSnapshots(world: OperatorsWorld): void {
  if (world.isKept('seven')) {
    world.restore('seven');
    return;
  }
  for (let snapshot = 3; snapshot <= 7; snapshot++) {
    fs.writeFileSync(world.at('srv/debian/NEWS'), `${snapshot}\n`);
    world.shardctl('update debian -q');
  }
  world.keep('seven');
}

function addRepositories(world: OperatorsWorld, ...names: string[]): void {
  for (const name of names) {
    fs.cpSync(world.at('srv/debian'), world.at(`srv/${name}`), { recursive: true, verbatimSymlinks: true });
    world.shardctl(`add /srv/${name} --replication 2 -q`);
  }
}

/** As old as packages are: the gate does not hold a young one back for what an index says of it. */
function writeHalfAPackage(world: OperatorsWorld): void {
  const path = world.at('srv/debian/pool/main/s/sl/sl_5.02-1+b1_amd64.deb');
  const old = new Date('2024-01-01');
  fs.writeFileSync(path, 'half');
  fs.utimesSync(path, old, old);
}

/** Whatever systemctl was told of is shipped. */
function assertShipped(world: OperatorsWorld): void {
  if (world.askedOf('systemctl') === '') return;
  for (const asked of world.askedOf('systemctl').trimEnd().split('\n')) {
    const [, units = ''] = /^(?:enable --now|restart|reload) (.+)$/.exec(asked) ?? assert.fail(asked);
    for (const unit of units.split(' ')) assert.ok(fs.existsSync(UNITS + unit.replace(/@\w+/, '@').replace(/@$/, '@.service')), unit);
  }
}

const withoutKubo = () => missing('kubo', kuboBinary() === undefined ? 'Kubo' : undefined);

/** The server of the page's file of tokens, and one of these. */
async function prepareServe(world: OperatorsWorld, atEnd: AtEnd): Promise<Words> {
  for (const name of ['useradd', 'systemctl']) world.standIn(name);
  const [tokens = ''] = /^# who may read what\n(?:.+\n)+/m.exec(textOf('docs/serve.md')) ?? [];
  const [, token = ''] = /^debian-internal (\w+)$/m.exec(tokens) ?? [];
  fs.writeFileSync(world.at('tokens'), tokens.replace(/^```.*/ms, ''), { mode: 0o600 });
  const { serve } = await startOthers(atEnd, 'debian-internal', '--token-file', world.at('tokens'));
  return [
    ['http://127.0.0.1:8080/debian-internal', `${serve.url}/debian-internal`],
    ['$TOKEN', token],
    ['NAME', 'debian'],
  ];
}

async function prepareFetch(_: OperatorsWorld, atEnd: AtEnd): Promise<Words> {
  const { program, serve } = await startOthers(atEnd, 'debian');
  const other = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
  atEnd(() => other.stop());
  return [
    ['http://mirror.example:8080', serve.url],
    ['http://a.example:8080', serve.url],
    ['http://b.example:8080', other.url],
    ['bafybei…', program.head('debian').cid],
    ['SRC OUT', `${serve.url}/debian /srv/copy`],
    // The world's own mirror is there, and would be refused.
    [' /srv/debian', ' /srv/copy'],
  ];
}

/** The publisher has a Kubo, and so has the volunteer, whose home this is. */
async function prepareFollow(world: OperatorsWorld, atEnd: AtEnd): Promise<Words> {
  fs.rmSync(world.at('var/lib/shardctl'), { recursive: true });
  const [publishers, own] = (await startKubo(world, atEnd, {}, {})) as [KuboDaemon, KuboDaemon];
  const { program, serve } = await startOthers(atEnd, 'debian');
  program.succeeds('peers', 'add', 'kubo', publishers.url, '--name', 'kubo');
  program.succeeds('repair', '--replication', '2');
  const [, name = ''] = /^(\/ipns\/\S+) -> .*, the snapshot$/m.exec(program.succeeds('publish', 'debian', '--snapshot').stdout) ?? [];
  return [
    ['http://mirror.example.org:8080', serve.url],
    ['--via http://127.0.0.1:8080', `--via ${publishers.gateway}`],
    ['http://127.0.0.1:5001', own.url],
    ['bafybei…', program.head('debian').cid],
    ['/ipns/k51…', name],
    ['NAME', 'space'],
  ];
}

const holds = (world: OperatorsWorld, [mirror]: Words) => world.shardctl(`follow ${mirror?.[1]}/debian --into /srv/space --once -q`);

async function prepareOperations(world: OperatorsWorld, atEnd: AtEnd): Promise<Words> {
  const token = 'c2VjcmV0';
  makeSnapshots(world);
  addRepositories(world, 'pypi');
  for (const dir of ['srv/upstream', 'media/usb', 'run', 'etc/shardctl']) fs.mkdirSync(world.at(dir), { recursive: true });
  for (const copy of ['srv/upstream/debian', 'mirror']) spawnSync('cp', ['-a', world.at('srv/debian'), world.at(copy)]);
  spawnSync('cp', ['-a', world.at('mnt/disk1'), world.at('mnt/new')]);
  fs.writeFileSync(world.at('srv/upstream/debian/NEWS'), 'of today\n');
  fs.writeFileSync(world.at('run/last'), '');
  fs.writeFileSync(world.at('srv/pypi/NEWS'), 'of today\n');
  fs.writeFileSync(world.at('etc/shardctl/far.token'), `${token}\n`);
  world.standIn('systemctl');
  const daemons = await startKubo(
    world,
    atEnd,
    {},
    { 'API.Authorizations': { far: { AuthSecret: `bearer:${token}`, AllowedPaths: ['/api/v0'] } } },
  );
  const [attic, far] = daemons.map(({ url }) => url) as [string, string];
  return [
    ['http://127.0.0.1:5001', attic],
    ['https://kubo.example.org', far],
    ['rsync://upstream/', '/srv/upstream/'],
    ['add DIR --shared', 'add /srv/debian --shared --home /srv/home'],
    ['peers set NAME', 'peers set disk1'],
    ['NAME', 'debian'],
    ['DIR', '/srv/debian'],
    ['diff A B', 'diff debian@6 debian@7'],
    ['PATH', '/mnt/disk4'],
  ];
}

/** The alias of the page is sudo's; whatever a package manager or an orchestrator would do, its arguments are looked at. */
function prepareInstalling(world: OperatorsWorld): Words {
  fs.rmSync(world.at('var/lib/shardctl'), { recursive: true });
  fs.mkdirSync(world.at('srv/mirror'));
  fs.renameSync(world.at('srv/debian'), world.at('srv/mirror/debian'));
  fs.writeFileSync(world.at('bin/sudo'), '#!/bin/sh\n[ "$1 $2" = "-u shardctl" ] && shift 2 && exec env "$@"\n', { mode: 0o755 });
  for (const name of ['systemctl', 'docker', 'kubectl']) world.standIn(name);
  return [];
}

/** Whatever docker and kubectl were told of is in `deploy`. */
function assertDeployed(world: OperatorsWorld): void {
  const asked = world.askedOf('docker') + world.askedOf('kubectl');
  for (const [, path = ''] of asked.matchAll(/ -f (\S+)/g)) assert.ok(fs.existsSync(new URL(`../../../../${path}`, import.meta.url)), path);
  for (const [, words = ''] of asked.matchAll(/^run .* shardctl (.+)$/gm))
    assert.equal(parseCommandLine(words.split(' ')).kind, 'run', words);
  for (const [, service = ''] of asked.matchAll(/^compose .* run --rm (\S+)$/gm))
    assert.match(textOf('deploy/compose/compose.yaml'), new RegExp(`^  ${service}:$`, 'm'));
  for (const [, job = ''] of asked.matchAll(/^wait .* job\/(\S+)$/gm))
    assert.match(textOf('deploy/kubernetes/once/add.yaml'), new RegExp(`^  name: ${job}$`, 'm'));
}

export const OPERATORS_PAGES: Readonly<Record<string, OperatorsPage>> = {
  'quick-start': {
    prepare: (world) => {
      for (const path of ['var/lib/shardctl', 'mnt']) fs.rmSync(world.at(path), { recursive: true });
      for (const disk of ['disk1', 'disk2']) fs.mkdirSync(world.at(`mnt/${disk}`), { recursive: true });
      return [];
    },
  },
  'backup-and-moving': {
    prepare: () => [
      ['FILE', '/srv/debian.car'],
      ['attic --url URL', 'disk1 --path /mnt/disk1'],
    ],
    notRun: { 'shardctl prune --orphans --owner ID --force': 'three-in-the-morning.test.ts runs it' },
  },
  sizing: {},
  upgrades: {
    prepare: () => [
      ['NEW', '/srv/home'],
      // Of three disks two have each shard.
      ['PLACE', '/mnt/disk1 --from /mnt/disk2'],
    ],
  },
  config: { prepare: () => [['SETTING VALUE', 'grace 6h']] },
  retention: {
    prepare: (world) => {
      makeSnapshots(world);
      addRepositories(world, 'npm', 'pypi');
      return [['/srv/mirror/debian', '/srv/debian']];
    },
    before: { 'Recover a lost home': (world) => fs.rmSync(world.at('var/lib/shardctl/index'), { recursive: true }) },
  },
  hooks: {
    prepare: (world) => {
      fs.mkdirSync(world.at('usr/local/bin'), { recursive: true });
      for (const name of ['purge', 'tell']) {
        world.standIn(name);
        fs.renameSync(world.at(`bin/${name}`), world.at(`usr/local/bin/${name}`));
      }
      addRepositories(world, 'npm');
      return [];
    },
    check: (world) => assert.notEqual(world.askedOf('purge'), ''),
  },
  gate: {
    prepare: (world) => {
      makeSnapshots(world);
      writeHalfAPackage(world);
      assert.equal(world.sh('shardctl update debian').code, EXIT.held);
      return [];
    },
    codes: { 'shardctl verify --against debian debian@8': EXIT.held },
    notRun: { 'shardctl publish debian@6': 'operations.md rolls a name back' },
  },
  monitoring: { prepare: () => [['FILE', 'shardctl.prom']] },
  serve: { prepare: prepareServe, check: assertShipped },
  fetch: {
    prepare: prepareFetch,
    notRun: { 'shardctl publish NAME': 'operations.md runs it, and has the Kubo that it needs' },
  },
  watch: {
    prepare: (world) => {
      addRepositories(world, 'npm');
      for (const name of ['sysctl', 'systemctl']) world.standIn(name);
      return [['shardctl update', 'shardctl update debian']];
    },
    check: assertShipped,
  },
  mount: {
    without: withoutMounts,
    prepare: (world, atEnd) => {
      makeSnapshots(world);
      fs.mkdirSync(world.at('view'));
      atEnd(() => void spawnSync('umount', ['-l', world.at('view')]));
      // Not over the directory of the peers.
      return [
        [' mnt', ' view'],
        ['NEW DIR', 'debian view'],
      ];
    },
  },
  reading: {
    prepare: (world) => {
      makeSnapshots(world);
      return [];
    },
  },
  follow: {
    without: withoutKubo,
    prepare: prepareFollow,
    before: { 'So that others find what you hold': holds, 'What it takes, and what it never does': holds },
    notRun: {
      'shardctl serve': 'the publisher does, before the page begins',
      'shardctl publish NAME': 'operations.md runs it',
      'shardctl publish NAME --snapshot': 'this page begins with a name that it gave',
      'shardctl peers add cluster…': 'follow-cluster.test.ts does, on a real Cluster',
      'shardctl follow http://mirror.example.org:8080/debian --into east…': 'the same',
      'shardctl peers set east…': 'the same, where a member has died',
      'ipfs-cluster-follow…': 'stock software, with a configuration that the publisher of the page puts on the web',
      'shardctl status --shards --json | jq…': 'needs a publisher’s Cluster of followers beside his Kubo: tried by hand',
    },
  },
  installing: {
    prepare: prepareInstalling,
    check: (world) => {
      assertShipped(world);
      assertDeployed(world);
    },
    notRun: {
      'npm ci': 'reads from the registry; `.ci/run` begins with it',
      'npm install --global "$(scripts/pack)"': 'installed.test.ts runs both, into a prefix of its own',
      'apt install "$(scripts/make-deb /tmp)"': 'installed.test.ts runs both, dpkg in a root of its own',
    },
  },
  operations: {
    without: () => withoutKubo() || without('rsync', 'rsync'),
    prepare: prepareOperations,
    check: assertShipped,
    before: { 'A name that follows the tree': (world, [attic = []]) => world.shardctl(`peers add kubo ${attic[1]} --name attic`) },
  },
};
