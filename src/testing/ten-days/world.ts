/** Three mirrors that are copied from upstream each hour, a home with four disks, and what each snapshot must give back. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../campaign/random.ts';
import { entriesOf } from '../campaign/source.ts';
import { made } from '../package-mirrors/files.ts';
import { Signer } from '../package-mirrors/signer.ts';
import { apt, type Client, npm, pip } from './clients.ts';
import { crontab } from './crontab.ts';
import { DebianArchive } from './debian-archive.ts';
import type { Job } from './job.ts';
import { Machine } from './machine.ts';
import { listening, timed, toldIn } from './units.ts';
import { NpmRegistry, PythonIndex, type Upstream } from './upstreams.ts';

export const MIRRORS = ['debian', 'npm', 'pypi'] as const;
export type MirrorName = (typeof MIRRORS)[number];
const PEERS = ['a', 'b', 'c', 'd'] as const;
export type PeerName = (typeof PEERS)[number];

/** What is in the indexes of a mirror, and so what a sync has copied that ended before the packages. */
const INDEXES: Readonly<Record<MirrorName, readonly string[]>> = {
  debian: ['--include=/dists/***', '--exclude=*'],
  npm: ['--include=*/', '--include=index.json', '--exclude=*'],
  pypi: ['--include=/simple/***', '--exclude=*'],
};

/** A mirror as it was, by path. */
type State = ReadonlyMap<string, string>;

/** A snapshot that was made the head, as the hook on-commit has told. */
interface Told {
  readonly number: number;
  readonly hour: number;
  readonly state: State;
}

export class World {
  readonly machine = new Machine();
  /** Of the day that goes on: `HOUR JOB CODE` of each mail, and what is in it. */
  mails: { readonly line: string; readonly text: string }[] = [];
  readonly tally = { jobs: 0, killed: 0, snapshots: 0, reads: 0, packages: 0 };
  readonly #random: Random;
  readonly #signer: Signer;
  readonly #upstreams: Readonly<Record<MirrorName, Upstream>>;
  readonly #clients: Readonly<Record<MirrorName, Client>>;
  readonly #jobs: Readonly<Record<'systemd' | 'cron', readonly Job[]>>;
  readonly #told: Readonly<Record<MirrorName, Told[]>> = { debian: [], npm: [], pypi: [] };
  readonly #away = new Set<string>();
  #served: { readonly url: string; readonly stop: () => Promise<number> } | undefined;
  /** Mirrors whose head may be an older one in this hour. */
  #stale = new Set<MirrorName>();
  #fault: string | undefined;
  #hour = 0;
  #commits = 0;

  constructor(seed: number) {
    const { machine } = this;
    const random = new Random(seed);
    this.#random = random;
    mkdirSync(machine.path('upstream'));
    this.#signer = Signer.create(machine.path('key'));
    const scratch = machine.path('scratch');
    this.#upstreams = {
      debian: new DebianArchive(machine.path('upstream/debian'), scratch, this.#signer),
      npm: new NpmRegistry(machine.path('upstream/npm'), scratch),
      pypi: new PythonIndex(machine.path('upstream/pypi')),
    };
    this.#clients = {
      debian: apt(machine.path('key/mirror.gpg')),
      npm: npm(() => [...(this.#told.npm.at(-1) as Told).state.keys()].flatMap((path) => /^([^/]+)\/index\.json$/.exec(path)?.[1] ?? [])),
      pypi: pip,
    };
    const minute = () => random.below(1000) / 1000;
    this.#jobs = {
      systemd: [
        ...MIRRORS.map((name) => timed('shardctl-update@.timer', name, machine.places, minute)),
        timed('shardctl-check.timer', '', machine.places, minute),
      ],
      cron: crontab(machine.places),
    };
  }

  /** What an operator does once. */
  async setUp(): Promise<void> {
    const { machine } = this;
    machine.addDisk('home', 128);
    for (const name of PEERS) machine.addDisk(name, 64);
    for (const name of MIRRORS) {
      machine.addDisk(name, 64);
      this.#change(name, 0);
      this.#sync(name);
    }
    for (const name of PEERS) await machine.types(`shardctl peers add local ${machine.path('disks', name, 'peer')} --name ${name} -q`);
    for (const [hook, line] of [
      ['on-commit', '$SHARDCTL_REPOSITORY $SHARDCTL_NUMBER'],
      ['on-problem', '$SHARDCTL_EXIT_CODE $SHARDCTL_TEXT'],
    ] as const)
      await machine.types(`shardctl config ${hook} 'echo "${line}" >>${machine.path('user', hook)}'`);
    for (const name of MIRRORS)
      await machine.types(`shardctl add ${machine.path('disks', name)} --name ${name} --replication 2 --gate auto -q`);
    for (const line of toldIn('shardctl-check.service')) await machine.types(line);
    const { job } = listening('shardctl-serve.service', machine.places);
    this.#served = await machine.listen(job);
    this.#hear();
  }

  // What happens to it.

  /** A sync that was stopped: the indexes are new, the packages are not there yet. The next one ends. */
  tear(name: MirrorName): void {
    this.#change(name, this.#hour);
    this.#sync(name, ...INDEXES[name]);
    this.#stale.add(name);
  }

  /** The jobs of this hour end before their Nth write. */
  kill(nth: number): void {
    this.#fault = `kill:${nth}`;
    for (const name of MIRRORS) this.#stale.add(name);
  }

  detach(disk: string): void {
    this.machine.detach(disk);
    this.#away.add(disk);
  }

  attach(disk: string): void {
    this.machine.attach(disk);
    this.#away.delete(disk);
  }

  fill(disk: string): void {
    this.machine.fill(disk);
    if (disk === 'home') this.#away.add(disk);
  }

  makeRoom(disk: string): void {
    this.machine.makeRoom(disk);
    this.#away.delete(disk);
  }

  // What must hold.

  /** An hour passes. @param hour counted from the first day on @throws Error for what must not be */
  async pass(hour: number, by: 'systemd' | 'cron', happens: ((world: World) => void) | undefined): Promise<void> {
    const { machine } = this;
    this.#hour = hour;
    this.#stale.clear();
    this.#fault = undefined;
    machine.setClock(hour, 0);
    for (const name of MIRRORS) {
      if (this.#random.chance(0.6)) this.#change(name, hour);
      if (!this.#away.has(name)) this.#sync(name);
    }
    happens?.(this);
    for (const name of MIRRORS) if (this.#away.has(name) || this.#away.has('home')) this.#stale.add(name);
    const due = this.#jobs[by]
      .map((job) => ({ job, minute: job.minuteIn(hour % 24) }))
      .filter((it): it is { job: Job; minute: number } => it.minute !== undefined)
      .toSorted((a, b) => a.minute - b.minute);
    // Units that are due within minutes run side by side; cron's lines are half an hour apart.
    const running: Promise<void>[] = [];
    for (const { job, minute } of due) {
      if (by === 'cron') await Promise.all(running);
      machine.setClock(hour, minute);
      running.push(this.#run(job, hour));
    }
    await Promise.all(running);
    this.#hear();
    for (const name of MIRRORS) {
      const isFresh = !this.#stale.has(name);
      if (isFresh) assert.deepEqual(this.#told[name].at(-1)?.state, this.#state(name), `the head of ${name} is the mirror as it is`);
      await this.#assertPublishedWhole(name);
    }
  }

  /** Each snapshot that is kept comes back as it was, and what the policy keeps is there. */
  async assertNothingLost(names: readonly MirrorName[]): Promise<void> {
    for (const name of names) {
      const lines = (await this.machine.types(`shardctl snapshots ${name} --json`)).trim().split('\n');
      const kept = lines.map((line) => JSON.parse(line) as { type: string; number: number }).filter(({ type }) => type === 'snapshot');
      const told = new Map(this.#told[name].map((one) => [one.number, one]));
      for (const newest of newestOfDays(this.#told[name]).slice(-7))
        assert.ok(
          kept.some(({ number }) => number === newest),
          `${name}@${newest} is the newest of its day, and is kept`,
        );
      for (const { number } of kept) {
        const was = told.get(number);
        // One that was held back was nobody's.
        if (was === undefined) continue;
        const out = this.machine.path('user', 'out');
        await this.machine.types(`shardctl get ${name}@${number} -o ${out} -q`);
        assert.deepEqual(entriesOf(out, true), was.state, `${name}@${number}`);
        rmSync(out, { recursive: true });
        this.tally.reads++;
      }
    }
  }

  /** Lines of the hook on-problem since it was last asked. */
  problems(): string[] {
    const path = this.machine.path('user', 'on-problem');
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    rmSync(path);
    return lines;
  }

  pickMirror(): MirrorName {
    return this.#random.pick(MIRRORS);
  }

  /** The end of what the jobs have printed. */
  journal(): string {
    return readFileSync(this.machine.path('journal'), 'utf8').slice(-4000);
  }

  async dispose(): Promise<void> {
    try {
      if (this.#served !== undefined) assert.equal(await this.#served.stop(), 0);
    } finally {
      this.#signer.close();
      await this.machine.dispose();
    }
  }

  async #run(job: Job, hour: number): Promise<void> {
    const outcome = await this.machine.run(job, this.#fault);
    this.tally.jobs++;
    if (outcome.code === 137) this.tally.killed++;
    appendFileSync(this.machine.path('journal'), `${hour} ${job.name} ${outcome.code}\n${outcome.output}`);
    if (job.mails(outcome)) this.mails.push({ line: `${hour % 24} ${job.name} ${outcome.code}`, text: outcome.output });
  }

  /** Notes what the hook on-commit was told. */
  #hear(): void {
    const path = this.machine.path('user', 'on-commit');
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    for (const line of lines.slice(this.#commits)) {
      const [name, number] = line.split(' ') as [MirrorName, string];
      // Told again when the hook was stopped with the run that it was called by.
      if (this.#told[name].some((one) => one.number === Number(number))) continue;
      this.#told[name].push({ number: Number(number), hour: this.#hour, state: this.#state(name) });
      this.tally.snapshots++;
    }
    this.#commits = lines.length;
  }

  async #assertPublishedWhole(name: MirrorName): Promise<void> {
    const get = async (path: string) => {
      const answer = await fetch(`${this.#served?.url}/${name}/${path}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 404) return undefined;
      assert.equal(answer.status, 200, path);
      return bytes;
    };
    const { complaints, packages } = await this.#clients[name](get);
    assert.deepEqual(complaints, [], `what is published of ${name} is whole`);
    assert.ok(packages > 0);
    this.tally.packages += packages;
  }

  #state(name: MirrorName): State {
    return entriesOf(this.machine.path('real', name), true);
  }

  #change(name: MirrorName, hour: number): void {
    const { dir } = this.#upstreams[name];
    this.#upstreams[name].change(this.#random);
    // What was just written has the time of this machine, and gets that of the days that pass.
    const time = this.machine.timeAt(hour, 0) / 1000;
    for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(dir, path)).mtimeMs < this.machine.timeAt(0, 0)) utimesSync(join(dir, path), time, time);
    }
  }

  #sync(name: MirrorName, ...some: readonly string[]): void {
    made('rsync', ['-a', '--delete', ...some, `${this.#upstreams[name].dir}/`, `${this.machine.path('real', name)}/`]);
  }
}

/** The numbers of the newest of each day, in the order of time. */
function newestOfDays(told: readonly Told[]): number[] {
  return [...new Map(told.map(({ number, hour }) => [Math.floor(hour / 24), number])).values()];
}
