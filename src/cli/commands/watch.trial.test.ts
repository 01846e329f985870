import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { onlyInAll } from '../../testing/depth.ts';
import { without } from '../../testing/package-tools/required.ts';
import { Program } from '../../testing/program.ts';
import { WatchProcess } from '../../testing/watch-process.ts';
import { withoutInotify } from '../../testing/watched.ts';
import { COMMON } from '../command-line/command-spec.ts';
import { variableOf } from '../command-line/environment.ts';

/** The root that the source has, by a look at everything from another home. */
function rootOfSource(program: Program): string {
  const home = program.path('other');
  rmSync(home, { recursive: true, force: true });
  return program.succeeds('add', 'm', '-Q', '--home', home).stdout.trim();
}

function head(program: Program): string {
  return program.head('m').tree;
}

function withProgram(work: (program: Program) => Promise<void>, environment: NodeJS.ProcessEnv = {}): () => Promise<void> {
  return async () => {
    const program = new Program(environment);
    mkdirSync(program.path('m/pool/a'), { recursive: true });
    writeFileSync(program.path('m/pool/a/one'), 'one');
    program.succeeds('add', 'm', '-q');
    try {
      await work(program);
    } finally {
      program.dispose();
    }
  };
}

const quick = ['--settle', '1s'];

test(
  'a mirror that rsync brings up to date is brought up to date in IPFS, by its names alone; while nothing happens nothing is done',
  { skip: withoutInotify || onlyInAll(without('rsync', 'rsync')) },
  withProgram(async (program) => {
    const watch = WatchProcess.start(program, 'm', ...quick, '--max-delete', 'none');
    assert.equal(await watch.updated(), null);
    const upstream = program.path('upstream');
    mkdirSync(join(upstream, 'pool/b/deep'), { recursive: true });
    writeFileSync(join(upstream, 'pool/b/deep/two'), 'two'.repeat(100_000));
    writeFileSync(Buffer.concat([Buffer.from(join(upstream, 'pool/b/')), Buffer.from('caf\xe9', 'latin1')]), 'not UTF-8');
    writeFileSync(join(upstream, 'pool/line\nbreak'), '');
    const rsync = (...options: string[]) =>
      assert.equal(spawnSync('rsync', ['-a', '--delete', ...options, `${upstream}/`, `${program.path('m')}/`]).status, 0);
    rsync();
    assert.equal(typeof (await watch.updated()), 'number');
    assert.equal(head(program), rootOfSource(program));
    renameSync(join(upstream, 'pool/b'), join(upstream, 'pool/c'));
    rsync('--delay-updates');
    assert.equal(typeof (await watch.updated()), 'number');
    assert.equal(head(program), rootOfSource(program));
    // A directory that moves, with all below it, and what is written below its new name.
    renameSync(program.path('m/pool'), program.path('m/moved'));
    writeFileSync(program.path('m/moved/c/deep/three'), 'three');
    assert.equal(typeof (await watch.updated()), 'number');
    assert.equal(head(program), rootOfSource(program));
    // Some time after an update there is nothing left to do, such as collecting garbage; who looks every so often is never that quiet.
    let isQuiet = false;
    for (let seconds = 0; seconds < 60 && !isQuiet; seconds += 4) {
      const before = watch.ticks();
      await sleep(4000);
      isQuiet = watch.ticks() === before;
    }
    assert.ok(isQuiet);
    // Nothing is held meanwhile: others may write.
    program.succeeds('prune', '-q');
    assert.equal(await watch.stop(), 0);
  }),
);

/** Each variable of an option that every command has, but the file of a log, beside its format, and `-q`, with which no events are told. */
const COMMON_VARIABLES = Object.fromEntries(
  COMMON.filter((name) => name !== 'log-file' && name !== 'quiet').flatMap((name) => {
    const variable = variableOf(name);
    return variable === undefined ? [] : [[variable, name === 'log-format' ? 'json' : '1']];
  }),
);

test(
  'variables that no command minds, no update of a watch minds either',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const watch = WatchProcess.start(program, 'm', ...quick);
    assert.equal(await watch.updated(), null);
    assert.equal(await watch.stop(), 0);
  }, COMMON_VARIABLES),
);

test(
  'a mirror is brought up to date also when the directory of the log, or of the metrics, has gone',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    for (const dir of ['logs', 'metrics']) mkdirSync(program.path(dir));
    const watch = WatchProcess.start(program, 'm', ...quick, '--log-file', 'logs/log', '--metrics-file', 'metrics/m.prom');
    assert.equal(await watch.updated(), null);
    for (const dir of ['logs', 'metrics']) rmSync(program.path(dir), { recursive: true });
    writeFileSync(program.path('m/pool/a/two'), 'two');
    assert.equal(typeof (await watch.updated()), 'number');
    assert.equal(program.succeeds('cat', 'm/pool/a/two').stdout, 'two');
    const warnings = watch.events.filter(({ type }) => type === 'warning').map(({ message }) => String(message));
    assert.ok(
      warnings.some((message) => message.startsWith('cannot write the log ')) &&
        warnings.some((message) => message.startsWith('no metrics in ')),
    );
    assert.equal(await watch.stop(), 0);
  }),
);

test(
  'a list of many names is handed over as a whole',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const watch = WatchProcess.start(program, 'm', ...quick);
    await watch.updated();
    for (let i = 0; i < 20_000; i++) writeFileSync(program.path(`m/pool/a/a-name-that-is-as-long-as-those-of-packages-${i}`), '');
    assert.equal(typeof (await watch.updated()), 'number');
    assert.equal(await watch.stop(), 0);
    assert.equal(typeof watch.events.findLast(({ type }) => type === 'updating')?.names, 'number');
  }),
);

test(
  'what changes while an update runs is in the next one',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const later = program.path('m/pool/later');
    const watch = WatchProcess.start(program, 'm', ...quick, '--on-commit', `[ -e ${later} ] || echo later > ${later}; sleep 3`);
    await watch.updated();
    await watch.updated();
    assert.equal(program.succeeds('cat', 'm/pool/later').stdout, 'later\n');
    assert.equal(await watch.stop('SIGINT'), 0);
  }),
);

test(
  'a sync is waited for as long as its lock is there, and SIGHUP has everything looked at',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const lock = program.path('sync.lock');
    const watch = WatchProcess.start(program, 'm', ...quick, '--sync-lock', 'sync.lock');
    await watch.updated();
    writeFileSync(lock, '');
    writeFileSync(program.path('m/half'), 'half');
    await sleep(3000);
    assert.equal(watch.events.filter(({ type }) => type === 'updating').length, 1);
    writeFileSync(program.path('m/half'), 'whole');
    rmSync(lock);
    assert.equal(await watch.updated(), 1);
    assert.equal(program.succeeds('cat', 'm/half').stdout, 'whole');
    writeFileSync(lock, '');
    watch.signal('SIGHUP');
    assert.equal(await watch.updated(), null);
    assert.equal(await watch.stop(), 0);
  }),
);

test(
  'a source that is replaced is looked at anew; one that is gone fails, calls the hook, and is there again after a reload',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const problem = program.path('problem.json');
    const watch = WatchProcess.start(program, 'm', ...quick, '--on-problem', `cat > ${problem}`, '--metrics-file', 'watch.prom');
    await watch.updated();
    mkdirSync(program.path('next/pool'), { recursive: true });
    for (const name of ['a', 'b', 'c']) writeFileSync(program.path(`next/pool/${name}`), name);
    renameSync(program.path('m'), program.path('before'));
    renameSync(program.path('next'), program.path('m'));
    assert.equal(await watch.updated(), null);
    assert.equal(head(program), rootOfSource(program));
    assert.equal(existsSync(problem), false);
    renameSync(program.path('m'), program.path('away'));
    const { names } = await watch.next('updating');
    const ended = await watch.next('updated');
    assert.deepEqual([names, ended.code, ended.againSeconds], [null, 40, 60]);
    assert.match(readFileSync(problem, 'utf8'), /no such directory/);
    assert.match(readFileSync(program.path('watch.prom'), 'utf8'), /exit_code\{repository="m"\} 40/);
    renameSync(program.path('away'), program.path('m'));
    writeFileSync(program.path('m/pool/d'), 'd');
    watch.signal('SIGHUP');
    assert.equal(await watch.updated(), null);
    assert.equal(head(program), rootOfSource(program));
    assert.equal(await watch.stop(), 0);
  }),
);

test(
  'while a peer is waited for, what has changed is committed to the others, and nobody is told of a problem',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name);
    program.succeeds('config', 'replication', '3');
    const problem = program.path('problem.json');
    const watch = WatchProcess.start(program, 'm', ...quick, '--grace', '6h', '--on-problem', `cat > ${problem}`);
    await watch.updated();
    renameSync(program.path('b'), program.path('b.away'));
    writeFileSync(program.path('m/pool/a/two'), 'two'.repeat(1000));
    assert.equal(await watch.updated(), 1);
    assert.equal(await watch.stop(), 0);
    assert.equal(existsSync(problem), false);
  }),
);

test(
  'a stop while an update runs stops that, and nothing is left running or locked',
  { skip: withoutInotify || onlyInAll() },
  withProgram(async (program) => {
    const watch = WatchProcess.start(program, 'm', ...quick, '--on-commit', 'sleep 60');
    await watch.next('summary');
    assert.equal(await watch.stop(), 143);
    assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
  }),
);

/** With so many watches of inotify at most, in a namespace of users, whose limits concern nobody else. */
const limited = (most: number, ...command: string[]) => [
  ...['unshare', '--user', '--map-root-user', 'sh', '-c'],
  ...[`echo ${most} > /proc/sys/user/max_inotify_watches && exec "$@"`, 'sh', ...command],
];
const [unshare = '', ...check] = limited(4, 'true');
const withoutLimits = spawnSync(unshare, check).status === 0 ? false : 'no namespaces of users';

test(
  'who may not watch all directories is told so, with the hook, and has everything looked at every so often',
  { skip: withoutInotify || onlyInAll(withoutLimits) },
  withProgram(async (program) => {
    for (const name of ['b', 'c', 'd', 'e']) mkdirSync(program.path(`m/${name}`));
    const hook = `cat > ${program.path('problem.json')}`;
    const watch = WatchProcess.startBy((...command) => limited(4, ...command), program, 'm', '--every', '3s', '--on-problem', hook);
    assert.match(String((await watch.next('not-watching')).hint), /sysctl fs\.inotify\.max_user_watches=\d+/);
    assert.equal(await watch.updated(), null);
    writeFileSync(program.path('m/e/new'), 'new');
    assert.equal(await watch.updated(), null);
    assert.equal(head(program), rootOfSource(program));
    assert.match(readFileSync(program.path('problem.json'), 'utf8'), /may watch no further directory/);
    // Said once.
    assert.equal(watch.events.filter(({ type }) => type === 'not-watching').length, 1);
    // An update may be under way again.
    assert.ok([0, 143].includes((await watch.stop()) ?? -1));
  }),
);

/** A namespace of mounts of its own, in which a directory of the source is in two places. */
const bound = (from: string, to: string, ...command: string[]) => [
  ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
  ...[`mount --bind ${from} ${to} && exec "$@"`, 'sh', ...command],
];

test(
  'a directory that is in two places by a bind mount has each change looked at everywhere',
  { skip: withoutInotify || onlyInAll(withoutLimits) },
  withProgram(async (program) => {
    mkdirSync(program.path('m/twin'));
    const twin = (...command: string[]) => bound(program.path('m/pool'), program.path('m/twin'), ...command);
    const watch = WatchProcess.startBy(twin, program, 'm', ...quick);
    assert.equal(await watch.updated(), null);
    writeFileSync(program.path('m/pool/a/two'), 'two');
    assert.equal(await watch.updated(), null);
    assert.equal(program.succeeds('cat', 'm/twin/a/two').stdout, 'two');
    assert.equal(await watch.stop(), 0);
  }),
);

test('options that no update takes, and repositories without a source, are refused at once', { skip: withoutInotify }, () => {
  const program = new Program();
  try {
    program.fails(40, /./, 'watch', 'm');
    mkdirSync(program.path('m'));
    mkdirSync(program.path('n'));
    program.succeeds('add', 'm', '-q');
    program.succeeds('add', 'n', '-q');
    program.fails(2, /which repository/, 'watch');
    program.fails(40, /no repository "x"/, 'watch', 'x');
    program.fails(2, /--settle "x" is not a time/, 'watch', 'm', '--settle', 'x');
    program.fails(2, /--max-wait "0" is not a time/, 'watch', 'm', '--max-wait', '0');
    program.fails(2, /--max-delete/, 'watch', 'm', '--max-delete', 'many');
    program.fails(2, /--grace "soon" is not a time/, 'watch', 'm', '--grace', 'soon');
    program.fails(2, /is about one repository/, 'watch', '--all', '--metrics-file', 'x.prom');
  } finally {
    program.dispose();
  }
});
