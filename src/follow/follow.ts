/**
 * One run of a follower: reads the snapshot, looks who holds its shards, chooses (`choice.ts`), takes some and looks again, because others
 * take shards at the same time. Ends when it is full or has all, or when nothing more can be had.
 */
import { ShardctlError } from '../core/errors.ts';
import type { BlockId } from '../core/model.ts';
import { cidText } from '../dag/cid.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { peerNamed } from '../peer/peer.ts';
import { sealCatalogue } from '../storing/place-catalogue.ts';
import { type Choice, choose, type Exchange, type HeldShard, rankOf, type SeenShard } from './choice.ts';
import type { Followed } from './followed.ts';
import { type Look, lookAt } from './holders.ts';
import { Holdings, type HoldingsOptions } from './holdings.ts';
import type { NearGateways } from './near-gateways.ts';
import { type FollowedSnapshot, newestOf } from './snapshot.ts';
import { Space } from './space.ts';
import { type FollowState, readState, writeState } from './state.ts';
import { Taking, type WantedShard } from './taking.ts';

/** Shards that are asked about in one look, where there are more; those that are held always are. */
const MOST_ASKED = 4096;
/** Of what is wanted, an eighth is taken before the next look, within these bounds. */
const LEAST_BATCH = 4;
const MOST_BATCH = 64;
/** Looks in a row in which nothing could be taken, after which a run ends. */
const MOST_IDLE = 8;
/** A CAR has about this part more bytes than the shard's DAG: 39 for each block. */
const CAR_OVERHEAD = 1 / 256;

export interface FollowOptions extends HoldingsOptions {
  /** SRC as people may see it, without credentials: noted. */
  readonly source?: string | undefined;
  /** ID of the home, which tells this follower from others. */
  readonly follower: string;
  /** The snapshot that is to be followed. */
  readonly root: BlockId;
  /** Shards are read from them, and each that has one is a holder. */
  readonly gateways: NearGateways;
  /** Know other holders. */
  readonly routers: readonly Gateway[];
  /** Told once in a look of a gateway or router that does not say who holds what. */
  readonly onSilent: (name: string, why: string) => void;
  /** Names of the peers that are to be filled. */
  readonly into: readonly string[];
  /** Most bytes that it may hold; undefined: as many as the peers have room for. */
  readonly maxBytes: number | undefined;
  /** Says how many of the shards that are held a new snapshot may drop. */
  readonly mostDropped: (held: number) => number;
  /** Also a snapshot that is older than the one that was followed. */
  readonly allowsOlder: boolean;
  readonly spool: string;
  readonly stateFile: string;
  /** Shards on their way at once. */
  readonly transfers: number;
  /** Room on peers that a dry run does not make. */
  readonly roomElsewhere: number;
  /** Looks and chooses, and changes nothing. */
  readonly isDryRun: boolean;
}

/** @throws ShardctlError `DAMAGE`, `TOO_FEW_PEERS`, `MAX_DELETE`, `USAGE` when the home follows another repository */
export async function follow(options: FollowOptions): Promise<Followed> {
  const before = readState(options.stateFile);
  const snapshot = await newestOf(options, before);
  const holdings = options.isDryRun ? Holdings.recorded(options) : await Holdings.open(options);
  return await new Follower(options, snapshot, holdings, before).run();
}

class Follower {
  readonly #options: FollowOptions;
  readonly #snapshot: FollowedSnapshot;
  readonly #holdings: Holdings;
  readonly #taking: Taking;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #found: Map<string, number>;
  /** CIDs of what is held beside the shards; empty before there is one. */
  #card: string;
  #catalogue: string;
  #round: number;
  #dropped = 0;

  constructor(options: FollowOptions, snapshot: FollowedSnapshot, holdings: Holdings, before: FollowState | undefined) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#holdings = holdings;
    this.#taking = new Taking({ ...options, holdings, repository: snapshot.file.repository });
    this.#numbers = new Map(snapshot.shards.map(({ cid, number }) => [cid, number]));
    this.#found = new Map(Object.entries(before?.found ?? {}));
    this.#card = before?.card ?? '';
    this.#catalogue = before?.catalogue ?? '';
    this.#round = before?.round ?? 0;
  }

  async run(): Promise<Followed> {
    const { isDryRun, mostDropped } = this.#options;
    const held = this.#held;
    const dropped = held.filter(({ cid }) => !this.#numbers.has(cid)).length;
    if (dropped > mostDropped(held.length)) throw this.#tooManyDropped(dropped, held.length);
    if (!isDryRun) await this.#takeOwn();
    for (let idle = 0; ; ) {
      const view = await this.#look();
      if (isDryRun) return this.#resultOf(view);
      await this.#dropAll([...view.choice.unneeded, ...view.choice.surplus]);
      const before = this.#taking.taken;
      const isDone = await this.#take(view);
      await this.#save();
      idle = this.#taking.taken === before ? idle + 1 : 0;
      if (isDone || idle === MOST_IDLE || !this.#options.gateways.isAlive) return this.#resultOf(view);
    }
  }

  get #held(): readonly HeldShard[] {
    return this.#holdings
      .all()
      .filter(({ cid }) => cid !== this.#card && cid !== this.#catalogue)
      .map(({ cid, carBytes }) => ({ cid, bytes: carBytes, found: this.#found.get(cid) ?? 0 }));
  }

  /** Puts the card and the catalogue on every peer that is filled, and has daemons announce the snapshot. */
  async #takeOwn(): Promise<void> {
    const { into, follower, peers } = this.#options;
    const names = into.filter((name) => !this.#holdings.silent.has(name));
    if (names.length === 0) {
      throw new ShardctlError('TOO_FEW_PEERS', `none of the peers that are to be filled answers: ${into.join(', ')}`, {
        hint: 'bring one back; where a daemon has another address now, `shardctl peers set NAME --url URL` says so',
      });
    }
    const { repository } = this.#snapshot.file;
    const { cid, tree, blocks } = this.#snapshot;
    this.#card = await this.#putOwn([Buffer.from(`shardctl follower ${follower}\n`)], `${repository} follower`, names);
    const catalogue = await this.#putOwn(blocks, `${repository} catalogue`, names);
    const old = this.#catalogue;
    this.#catalogue = catalogue;
    if (old !== catalogue) await this.#holdings.drop(old);
    for (const name of names) await peerNamed(peers, name).pinRoots?.(repository, [cid, cidText(tree, 1)]);
    await this.#save();
  }

  async #putOwn(blocks: readonly Buffer[], label: string, names: readonly string[]): Promise<string> {
    const shard = await sealCatalogue(this.#options.spool, this.#taking.nextNumber(), blocks);
    const isThere = names.every((name) => this.#holdings.get(shard.cid)?.peers.includes(name));
    if (isThere) await this.#taking.leave(shard);
    else await this.#holdings.add(shard, label, names);
    return shard.cid;
  }

  async #look(): Promise<View> {
    const { follower, into, peers, maxBytes = Number.POSITIVE_INFINITY, roomElsewhere } = this.#options;
    const names = into.filter((name) => !this.#holdings.silent.has(name));
    const space = await Space.on(names.map((name) => peerNamed(peers, name)));
    const ownBytes = [this.#card, this.#catalogue].reduce((sum, cid) => sum + (this.#holdings.get(cid)?.carBytes ?? 0), 0);
    const limitBytes = Math.min(maxBytes, this.#holdings.bytes + space.bytes + roomElsewhere);
    const look = await this.#lookAt(this.#asked());
    const shards = this.#snapshot.shards.map(({ cid, dagSize }) => ({
      cid,
      bytes: this.#taking.sizes.get(cid) ?? Math.ceil(dagSize * (1 + CAR_OVERHEAD)),
      holders: this.#taking.failures.has(cid) || this.#isStuck(cid) ? undefined : look.holders.get(cid),
    }));
    const { crowd } = look;
    const choice = choose({ follower, round: this.#round++, limit: limitBytes - ownBytes, crowd, shards, held: this.#held });
    return { look, space, limitBytes, shards, choice };
  }

  /** Held on a peer that does not answer: it can be dropped when that is back. */
  #isStuck(cid: string): boolean {
    return this.#holdings.get(cid) !== undefined && !this.#holdings.canDrop(cid);
  }

  /** Of many shards, those that this follower would take first among equals. */
  #asked(): readonly string[] {
    const rank = rankOf(this.#options.follower);
    const cids = this.#snapshot.shards.map(({ cid }) => cid);
    if (cids.length <= MOST_ASKED) return cids;
    const held = cids.filter((cid) => this.#holdings.get(cid) !== undefined);
    const others = cids.filter((cid) => this.#holdings.get(cid) === undefined).sort((a, b) => rank(b, a));
    return [...held, ...others.slice(0, MOST_ASKED)];
  }

  async #lookAt(cids: readonly string[]): Promise<Look> {
    const { gateways, routers, onSilent, signal } = this.#options;
    const self = { card: this.#card || undefined, ownIds: await this.#ownIds() };
    return await lookAt(cids, self, { gateways: gateways.each, routers, onSilent, signal });
  }

  async #ownIds(): Promise<ReadonlySet<string>> {
    const { peers } = this.#options;
    const ids = new Set<string>();
    for (const peer of peers.values()) {
      if (this.#holdings.silent.has(peer.name)) continue;
      for (const { id } of (await peer.contacts?.()) ?? []) ids.add(id);
    }
    return ids;
  }

  /** @returns whether there is nothing more to take, by this view */
  async #take({ choice, space, limitBytes, look }: View): Promise<boolean> {
    const wanted = choice.take.slice(0, Math.min(MOST_BATCH, Math.max(LEAST_BATCH, Math.ceil(choice.take.length / 8))));
    const room = { space, limitBytes };
    await this.#taking.takeAll(wanted.map(this.#wanted), room, (cid) => void this.#found.set(cid, look.holders.get(cid) ?? 0));
    if (wanted.length > 0) return false;
    for (const exchange of choice.exchanges) {
      const bytes = exchange.drop.reduce((sum, shard) => sum + shard.bytes, 0);
      const isTaken = await this.#taking.take(this.#wanted(exchange.take), room, { bytes, free: () => this.#free(exchange, space) });
      if (isTaken) this.#found.set(exchange.take.cid, exchange.take.holders ?? 0);
    }
    return choice.exchanges.length === 0;
  }

  readonly #wanted = ({ cid }: SeenShard): WantedShard => ({ cid, number: this.#numbers.get(cid) ?? 0 });

  /** Drops what goes in exchange, if still as many others hold it as the choice has counted on: it took a while to fetch what comes. */
  async #free({ drop, take }: Exchange, space: Space): Promise<boolean> {
    const { peers } = this.#options;
    const { holders } = await this.#lookAt(drop.map(({ cid }) => cid));
    const least = Math.max(1, (take.holders ?? 0) + 1);
    if (!drop.every(({ cid, found }) => (holders.get(cid) ?? 0) >= Math.max(least, found))) return false;
    const names = new Set(drop.flatMap(({ cid }) => this.#holdings.get(cid)?.peers ?? []));
    await this.#dropAll(drop);
    await space.renew();
    // A daemon frees the space of what was unpinned only when it collects its garbage.
    if (!space.hasRoomFor(this.#taking.sizes.get(take.cid) ?? 0)) {
      for (const name of names) await peerNamed(peers, name).reclaim?.();
      await space.renew();
    }
    return true;
  }

  async #dropAll(shards: readonly HeldShard[]): Promise<void> {
    for (const { cid } of shards) {
      if (!this.#holdings.canDrop(cid)) continue;
      await this.#holdings.drop(cid);
      this.#found.delete(cid);
      this.#dropped++;
    }
  }

  async #save(): Promise<void> {
    const { repository, time } = this.#snapshot.file;
    const found = Object.fromEntries([...this.#found].filter(([cid]) => this.#holdings.get(cid) !== undefined));
    const own = { card: this.#card, catalogue: this.#catalogue };
    const { source } = this.#options;
    const state = { repository, source, snapshot: this.#snapshot.cid, time, ...own, round: this.#round, found };
    await writeState(this.#options.stateFile, state);
  }

  #resultOf({ choice, limitBytes, shards }: View): Followed {
    const { isDryRun } = this.#options;
    const { cid: snapshot, file, shards: links } = this.#snapshot;
    const { take, exchanges, unneeded, surplus, overBytes } = choice;
    const wanted = [...take, ...exchanges.map((exchange) => exchange.take)];
    const going = [...unneeded, ...surplus, ...exchanges.flatMap(({ drop }) => drop)];
    const counts = shards.flatMap(({ cid, holders }) =>
      holders === undefined ? [] : [holders + (this.#holdings.get(cid) === undefined ? 0 : 1)],
    );
    const held = this.#held.filter(({ cid }) => this.#numbers.has(cid)).length;
    return {
      repository: file.repository,
      snapshot,
      time: file.time,
      shards: links.length,
      held,
      heldBytes: this.#holdings.bytes,
      limitBytes,
      taken: isDryRun ? wanted.length : this.#taking.taken,
      takenBytes: isDryRun ? wanted.reduce((sum, { bytes }) => sum + bytes, 0) : this.#taking.takenBytes,
      dropped: isDryRun ? going.length : this.#dropped,
      failed: [...this.#taking.failures.values()].filter(({ code }) => code !== 'NO_SPACE').length,
      rarest: counts.length === 0 ? null : counts.reduce((least, count) => Math.min(least, count)),
      overBytes,
      smallestBytes: shards.reduce((least, { bytes }) => (least === 0 ? bytes : Math.min(least, bytes)), 0),
    };
  }

  #tooManyDropped(dropped: number, held: number): ShardctlError {
    const { cid } = this.#snapshot;
    return new ShardctlError('MAX_DELETE', `snapshot ${cid} does not need ${dropped} of the ${held} shards that are held`, {
      hint: 'nothing was dropped; if that is meant, allow it with --max-delete N, P% or none',
    });
  }
}

/** What was seen and chosen in one look. */
interface View {
  readonly look: Look;
  readonly space: Space;
  readonly limitBytes: number;
  readonly shards: readonly SeenShard[];
  readonly choice: Choice;
}
