/**
 * `shardctl check [NAME…]`: what a home needs once a day, under one lock: read a part of the shards back and mend what is damaged or
 * missing anywhere, forget by each repository's policy, free space within a budget, and say how the replicas stand.
 */
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError, worstOf } from '../../core/errors.ts';
import { requireHome } from '../../home/home.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { type Standing, standOf } from '../../maintain/stand.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';
import { sizeOf } from '../command-line/quantities.ts';
import { inOrder, repositoriesNamed } from '../command-line/repositories-named.ts';
import { maxUnusedOf } from '../command-line/retention-options.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { counted } from '../reporter/text.ts';
import { checkedLines } from '../results/checked.ts';
import { prunedLines } from '../results/pruned.ts';
import { repairedLines } from '../results/repaired.ts';
import { answer, type Result } from '../results/results.ts';
import { freeing, isNoSpace } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { forgetByPolicy } from '../steps/forget-by-policy.ts';
import { type Figures, withFigures } from '../steps/maintenance-log.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';
import { hintOf } from '../steps/mend-missing.ts';
import { pruneWhatFits } from '../steps/prune-what-fits.ts';
import { type PartToRead, partToRead, readAndMend, shardsOf } from '../steps/read-and-mend.ts';

/** What prune may copy in a day where nothing else is said: a daily run should end before the next one. */
const DAILY_REPACK_BYTES = 10_000_000_000;

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const options = storageOptions(args);
  const limits = { maxUnused: maxUnusedOf(args), maxRepack: sizeOf(args, 'max-repack') ?? DAILY_REPACK_BYTES };
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const part = partToRead(context);
  const work = async (session: Session, figures: Figures) => {
    const names = namesOf(context, session);
    return await new Check(context, session, await maintenanceRun(context, session, options), figures).run(names, part, limits);
  };
  return await withFigures(context, 'check', args.positionals.length === 0, (figures) => {
    const counted = (session: Session) => work(session, figures);
    return dryRun ? reading(context, counted, { checkBlocks: true }) : freeing(context, counted, { checkBlocks: true });
  });
}

function namesOf({ args }: Context, { index }: Session): readonly string[] {
  const all = index.repositories();
  const meant = args.positionals.length === 0 ? inOrder(all) : repositoriesNamed(all, args.positionals);
  return meant.map(({ name }) => name);
}

const FREEING: ReadonlySet<string> = new Set(['forget', 'prune']);

type Checked = Extract<Result, { type: 'checked' }>;
type Limits = Pick<Parameters<typeof pruneWhatFits>[1], 'maxUnused' | 'maxRepack'>;

class Check {
  readonly #context: Context;
  readonly #session: Session;
  readonly #maintenance: Maintenance;
  readonly #figures: Figures;
  readonly #dryRun: boolean;
  readonly #codes: number[] = [];
  readonly #failed: string[] = [];
  readonly #skipped: Checked['skipped'][number][] = [];
  readonly #results: Result[] = [];
  readonly #lines: string[] = [];
  #isUnsafe = false;
  /** Of a dry run: a real one would have mended lists by which it prunes. */
  #hasUnmendedLists = false;
  /** Of a dry run that met nothing but what a real one would mend: all shards of its repositories, none of which is at risk after that. */
  #wouldMend: ReadonlySet<string> = new Set();
  /** As the peers say at the end; undefined when they could not be asked. */
  #standings: readonly Standing[] | undefined;

  constructor(context: Context, session: Session, maintenance: Maintenance, figures: Figures) {
    this.#context = context;
    this.#session = session;
    this.#maintenance = maintenance;
    this.#figures = figures;
    this.#dryRun = context.args.flag('dry-run');
  }

  async run(names: readonly string[], part: PartToRead, limits: Limits): Promise<number> {
    const { now, quiet, json } = this.#context;
    const started = now();
    const forgotten = { count: 0 };
    await this.#step('verify and repair', () => this.#readAndMend(names, part));
    // What lost blocks leave may be mended from an older snapshot, or from a shard that is to go: nothing is let go of then.
    await this.#careful('forget', async () => {
      forgotten.count = await this.#forget(names);
    });
    // What it could not remove from a silent peer, or copy without reading there, the first check after its return does.
    if (this.#maintenance.grace?.isWaiting === true && !this.#isUnsafe) this.#skipped.push({ step: 'prune', reason: 'waiting' });
    else if (this.#hasUnmendedLists && !this.#isUnsafe) this.#skipped.push({ step: 'prune', reason: 'unlisted' });
    else await this.#careful('prune', () => this.#prune(limits));
    const risk = { shards: 0, bytes: 0 };
    await this.#step('status', async () => Object.assign(risk, await this.#look()));
    this.#tellOverdue();
    const seconds = (now() - started) / 1000;
    const checked: Checked = {
      type: 'checked',
      dryRun: this.#dryRun,
      part: part.name ?? null,
      forgotten: forgotten.count,
      skipped: this.#skipped,
      failed: this.#failed,
      atRisk: risk.shards,
      atRiskBytes: risk.bytes,
      seconds,
    };
    if (!quiet || json) answer(this.#context, [...this.#results, checked], () => [...this.#lines, ...checkedLines(checked)]);
    return worstOf(this.#codes);
  }

  /** A step that fails is told at once, and does not hide what the later ones have to say. Where space cannot be freed for want of space, `freeing` gives the run its ballast. */
  async #step(step: string, work: () => Promise<unknown>): Promise<void> {
    const { reporter, signal } = this.#context;
    try {
      await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof ShardctlError) || (FREEING.has(step) && isNoSpace(error))) throw error;
      const { code, message, exitCode } = error;
      reporter.event({ type: 'step-failed', step, code, message, ...hintOf(error) });
      this.#failed.push(step);
      this.#codes.push(exitCode);
      if (code === 'DAMAGE' || code === 'NEWER_FORMAT' || code === 'IO') this.#isUnsafe = true;
    }
  }

  async #careful(step: string, work: () => Promise<unknown>): Promise<void> {
    if (this.#isUnsafe) this.#skipped.push({ step, reason: 'lost' });
    else await this.#step(step, work);
  }

  async #readAndMend(names: readonly string[], part: PartToRead): Promise<void> {
    const { now } = this.#context;
    const started = now();
    const { repaired, code } = await readAndMend(this.#context, this.#maintenance, names, part);
    this.#codes.push(code);
    this.#isUnsafe = repaired.lost.length > 0;
    if (this.#dryRun) {
      this.#hasUnmendedLists = repaired.relisted + repaired.runs + repaired.rewritten > 0;
      if (code === EXIT.done) this.#wouldMend = shardsOf(this.#session.index, names);
    }
    this.#figures.checkReadBytes = repaired.readBytes;
    this.#figures.checkMended = repaired.mended + repaired.added;
    this.#figures.checkLost = repaired.lost.length;
    const seconds = (now() - started) / 1000;
    this.#results.push({ type: 'repaired', ...repaired, seconds });
    this.#lines.push(...repairedLines(repaired, seconds));
  }

  async #forget(names: readonly string[]): Promise<number> {
    const gone = await forgetByPolicy(this.#context, this.#session, names);
    this.#figures.checkForgotten = gone.length;
    for (const { repository, number, cid, time } of gone)
      this.#results.push({ type: 'retention', repository, number, cid, time, keep: false, reasons: [] });
    return gone.length;
  }

  async #prune(limits: Limits): Promise<void> {
    const { args, now, reporter } = this.#context;
    const started = now();
    const pruned = await pruneWhatFits(this.#maintenance, { ...limits, dryRun: this.#dryRun });
    const isAsked = args.flag('gc') && !this.#dryRun;
    const collected = isAsked ? await reclaim(this.#session.peers, (event) => reporter.event(event)) : [];
    this.#codes.push(pruned.left > 0 ? EXIT.tooFewPeers : EXIT.done);
    this.#figures.checkFreed = pruned.freedBytes;
    this.#results.push({ type: 'pruned', ...pruned, collected, seconds: (now() - started) / 1000 });
    this.#lines.push(...prunedLines(pruned, collected));
  }

  /**
   * Hourly runs tell once that a peer is away. Once a day it is said again, and how that ends, until it has ended: a disk that nobody misses
   * is a replica less with the next one that dies.
   */
  #tellOverdue(): void {
    const { reporter } = this.#context;
    const { grace, peers } = this.#maintenance;
    for (const [name, since] of grace?.overdue ?? []) {
      const ending = this.#endingOf(name, peers.get(name));
      const message = `peer ${name} has not answered since ${new Date(since).toISOString()}`;
      reporter.event({
        type: 'warning',
        peer: name,
        message,
        hint: `bring it back${ending}: until then \`check\` ends with 42 and says so`,
      });
      this.#codes.push(EXIT.tooFewPeers);
    }
  }

  /** How it may end otherwise than that the peer is back. To take out one that has what no other gives would give that up. */
  #endingOf(name: string, peer: Peer | undefined): string {
    if (peer?.kind === 'cluster' || this.#standings === undefined) return '';
    const isAlone = ({ replicas }: Standing) =>
      replicas.some(({ peer: holder }) => holder === name) && replicas.every(({ state }) => state !== 'held');
    const alone = this.#standings.filter(isAlone).length;
    if (alone > 0) return `, as ${counted(alone, 'shard')} of it can be read nowhere else (\`shardctl status --at-risk\`)`;
    return `, or, if it is gone for good, \`shardctl peers rm ${shellWord(name)} --force\` and then \`shardctl repair\``;
  }

  async #look(): Promise<{ readonly shards: number; readonly bytes: number }> {
    this.#standings = await standOf(this.#maintenance);
    const some = this.#standings.filter(({ cid, isUnderPolicy }) => isUnderPolicy && !this.#wouldMend.has(cid));
    const risk = { shards: some.length, bytes: some.reduce((sum, { bytes }) => sum + bytes, 0) };
    this.#figures.checkAtRisk = risk.shards;
    if (risk.shards > 0) {
      this.#codes.push(EXIT.atRisk);
      this.#context.reporter.event({ type: 'at-risk', ...risk });
    }
    return risk;
  }
}
