/** Three mirrors, a home with four disks for its peers, and all that befalls them; what must hold after each hour. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { Random } from '../campaign/random.ts';
import { Signer } from '../package-mirrors/signer.ts';
import { apt, npm, pip } from './clients.ts';
import { crontab } from './crontab.ts';
import { DebianArchive } from './debian-archive.ts';
import type { Job } from './job.ts';
import type { Machine } from './machine.ts';
import { Mirror } from './mirror.ts';
import { listening, timed, toldIn } from './units.ts';
import { NpmRegistry, PythonIndex } from './upstreams.ts';

const MIRRORS = ['debian', 'npm', 'pypi'] as const;
export type MirrorName = (typeof MIRRORS)[number];
const PEERS = ['a', 'b', 'c', 'd'];
/** In an hour each mirror changes with this probability. */
const CHANGES = 0.6;

export class World {
  readonly machine: Machine;
  /** Of the day that goes on: `HOUR JOB CODE` of each mail, and what is in it. That a run was killed here is not among them. */
  mails: { readonly line: string; readonly text: string }[] = [];
  readonly tally = { days: 0, jobs: 0, killed: 0, reads: 0, packages: 0 };
  readonly #random: Random;
  readonly #signer: Signer;
  readonly #mirrors: Readonly<Record<MirrorName, Mirror>>;
  readonly #jobs: Readonly<Record<'systemd' | 'cron', readonly Job[]>>;
  /** Disks that are not there, or have no room. */
  readonly #ill = new Set<string>();
  #served: { readonly url: string; readonly stop: () => Promise<number> } | undefined;
  #hour = 0;
  /** How many lines of the hook on-commit have been read. */
  #commits = 0;
  // Of this hour: whose head may be an older one, the fault of its jobs, what they came to, and the codes of those that said something.
  #stale = new Set<string>();
  #fault: string | undefined;
  #outcomes: string[] = [];
  #troubles: number[] = [];

  /** @param machine whoever has made it disposes of it */
  constructor(machine: Machine, seed: number) {
    this.machine = machine;
    const random = new Random(seed);
    this.#random = random;
    mkdirSync(machine.path('upstream'));
    this.#signer = Signer.create(machine.path('key'));
    const [scratch, keyring] = [machine.path('scratch'), machine.path('key/mirror.gpg')];
    this.#mirrors = {
      debian: new Mirror(machine, new DebianArchive(machine.path('upstream/debian'), scratch, this.#signer), () => apt(keyring)),
      npm: new Mirror(machine, new NpmRegistry(machine.path('upstream/npm'), scratch), npm),
      pypi: new Mirror(machine, new PythonIndex(machine.path('upstream/pypi')), () => pip),
    };
    const delay = () => random.below(1000) / 1000;
    this.#jobs = {
      systemd: [
        ...MIRRORS.map((name) => timed('shardctl-update@.timer', name, machine.places, delay)),
        timed('shardctl-check.timer', '', machine.places, delay),
      ],
      cron: crontab(machine.places),
    };
  }

  /** What an operator does once. */
  async setUp(): Promise<void> {
    const { machine } = this;
    machine.addDisk('home', 128);
    for (const name of PEERS) {
      machine.addDisk(name, 64);
      await machine.types(`shardctl peers add local ${machine.path('disks', name, 'peer')} --name ${name} -q`);
    }
    for (const [hook, line] of [
      ['on-commit', '$SHARDCTL_REPOSITORY $SHARDCTL_NUMBER'],
      ['on-problem', '$SHARDCTL_EXIT_CODE $SHARDCTL_TEXT'],
    ])
      await machine.types(`shardctl config ${hook} 'echo "${line}" >>${machine.path('user', hook as string)}'`);
    for (const [name, mirror] of Object.entries(this.#mirrors)) {
      machine.addDisk(name, 64);
      mirror.change(this.#random, 0);
      mirror.sync();
      await machine.types(`shardctl add ${machine.path('disks', name)} --name ${name} --replication 2 --gate auto -q`);
    }
    for (const line of toldIn('shardctl-check.service')) await machine.types(line);
    await this.#serve();
    this.#hear();
  }

  // What befalls it.

  tear(name: MirrorName): void {
    this.#mirrors[name].change(this.#random, this.#hour);
    this.#mirrors[name].syncHalf();
    this.#stale.add(name);
  }

  /** The jobs of this hour are killed before their Nth write, if they write so often. */
  kill(nth: number): void {
    this.#fault = `kill:${nth}`;
    for (const name of MIRRORS) this.#stale.add(name);
  }

  detach(disk: string): void {
    this.machine.detach(disk);
    this.#ill.add(disk);
  }

  attach(disk: string): void {
    this.machine.attach(disk);
    this.#ill.delete(disk);
  }

  /**
   * The server is started anew: for a minute after they were last read it has files open that `check` has removed, and the space of these
   * would come back to the full disk at some moment.
   */
  async fill(disk: string): Promise<void> {
    await this.#endServe();
    this.machine.fill(disk);
    await this.#serve();
    this.#ill.add(disk);
  }

  makeRoom(disk: string): void {
    this.machine.makeRoom(disk);
    this.#ill.delete(disk);
  }

  /** An hour passes. @param hour counted from the first day on @param befalls after the sync and before the jobs @throws Error for what must not be */
  async pass(hour: number, by: 'systemd' | 'cron', befalls: ((world: World) => void | Promise<void>) | undefined): Promise<void> {
    this.#hour = hour;
    this.#stale.clear();
    this.#fault = undefined;
    this.#outcomes = [];
    this.#troubles = [];
    this.machine.setClock(hour, 0);
    for (const [name, mirror] of Object.entries(this.#mirrors)) {
      if (this.#random.chance(CHANGES)) mirror.change(this.#random, hour);
      if (!this.#ill.has(name)) mirror.sync();
    }
    await befalls?.(this);
    await this.#runDue(hour, by);
    this.#hear();
    const problems = this.#problems();
    const because = this.#outcomes.join('');
    assert.deepEqual(
      problems.map((line) => Number(line.split(' ')[0])).toSorted(),
      this.#troubles.toSorted(),
      `the hook on-problem is told what a mail would tell: ${problems.join('\n')}\n${because}`,
    );
    for (const [name, mirror] of Object.entries(this.#mirrors)) {
      if (!this.#stale.has(name) && !this.#ill.has(name) && !this.#ill.has('home')) mirror.assertFresh(because);
      this.tally.packages += await mirror.assertPublishedWhole(this.#served?.url as string);
    }
  }

  async #serve(): Promise<void> {
    const { machine } = this;
    this.#served = await machine.listen(listening('shardctl-serve.service', machine.places));
  }

  async #endServe(): Promise<void> {
    if (this.#served !== undefined) assert.equal(await this.#served.stop(), 0);
    this.#served = undefined;
  }

  /** @param most so many snapshots of each are read back */
  async assertNothingLost(names: readonly MirrorName[] = MIRRORS, most = Number.POSITIVE_INFINITY): Promise<void> {
    for (const name of names) this.tally.reads += await this.#mirrors[name].assertNothingLost(most);
  }

  anyMirror(): MirrorName {
    return this.#random.pick(MIRRORS);
  }

  get snapshots(): number {
    return Object.values(this.#mirrors).reduce((sum, { told }) => sum + told.length, 0);
  }

  /** The end of what the jobs have printed. */
  journal(): string {
    const path = this.machine.path('journal');
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-4000) : '';
  }

  async dispose(): Promise<void> {
    try {
      await this.#endServe();
    } finally {
      this.#signer.close();
    }
  }

  /** Units that are due within minutes run side by side; cron's lines are half an hour apart. */
  async #runDue(hour: number, by: 'systemd' | 'cron'): Promise<void> {
    const due = this.#jobs[by].flatMap((job) => {
      const minute = job.minuteIn(hour % 24);
      return minute === undefined ? [] : [{ job, minute }];
    });
    const running: Promise<void>[] = [];
    for (const { job, minute } of due.toSorted((a, b) => a.minute - b.minute)) {
      if (by === 'cron') await Promise.all(running);
      this.machine.setClock(hour, minute);
      running.push(this.#run(job));
    }
    await Promise.all(running);
  }

  async #run(job: Job): Promise<void> {
    const outcome = await this.machine.run(job, this.#fault);
    const { code, output } = outcome;
    this.tally.jobs++;
    this.#outcomes.push(`${this.#hour} ${job.name} ${code}\n${output}`);
    appendFileSync(this.machine.path('journal'), this.#outcomes.at(-1) as string);
    if (this.#fault !== undefined && code === 137) {
      this.tally.killed++;
      return;
    }
    if (code !== 0 || output !== '') this.#troubles.push(code);
    if (job.mails(outcome)) this.mails.push({ line: `${this.#hour % 24} ${job.name} ${code}`, text: output });
  }

  /** Notes of which heads the hook on-commit was told. */
  #hear(): void {
    const lines = linesOf(this.machine.path('user', 'on-commit'));
    for (const line of lines.slice(this.#commits)) {
      const [name, number] = line.split(' ') as [MirrorName, string];
      this.#mirrors[name].hear(Number(number), this.#hour);
    }
    this.#commits = lines.length;
  }

  /** What the hook on-problem was told in this hour. */
  #problems(): string[] {
    const path = this.machine.path('user', 'on-problem');
    const lines = linesOf(path);
    rmSync(path, { force: true });
    return lines;
  }
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}
