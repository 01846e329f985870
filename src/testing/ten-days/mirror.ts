/** One mirror that is copied from upstream each hour, and what each of its snapshots must give back. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../campaign/random.ts';
import { entriesOf } from '../campaign/source.ts';
import { made } from '../package-mirrors/files.ts';
import type { Client } from './clients.ts';
import type { Machine } from './machine.ts';
import type { Upstream } from './upstreams.ts';

/** A mirror as it was: kind, mode, time and content by path. */
type State = ReadonlyMap<string, string>;

/** A snapshot that was made the head, as the hook on-commit has told. */
interface Told {
  readonly number: number;
  /** Of the first day on. */
  readonly hour: number;
  readonly state: State;
}

export class Mirror {
  /** Of its disk and of its repository, too. */
  readonly name: string;
  readonly told: Told[] = [];
  readonly #machine: Machine;
  readonly #upstream: Upstream;
  readonly #client: Client;

  /** @param client told the paths that the head has */
  constructor(machine: Machine, upstream: Upstream, client: (paths: () => readonly string[]) => Client) {
    this.name = upstream.name;
    this.#machine = machine;
    this.#upstream = upstream;
    this.#client = client(() => [...(this.told.at(-1)?.state.keys() ?? [])]);
  }

  /** Upstream, where it is seen by the next sync. */
  change(random: Random, hour: number): void {
    const { dir } = this.#upstream;
    this.#upstream.change(random);
    // What was just written has the time of this machine, and gets that of the days that pass.
    const time = this.#machine.timeAt(hour, 0) / 1000;
    for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(dir, path)).mtimeMs < this.#machine.timeAt(0, 0)) utimesSync(join(dir, path), time, time);
    }
  }

  sync(): void {
    this.#copy();
  }

  /** A sync that is stopped when it has copied the indexes, and no package. The next one ends. */
  syncHalf(): void {
    this.#copy(...this.#upstream.indexes);
  }

  /** The hook on-commit has told of a head. Told again, where the hook was stopped with the run that it was called by. */
  hear(number: number, hour: number): void {
    if (!this.told.some((one) => one.number === number)) this.told.push({ number, hour, state: this.#state() });
  }

  /** @throws Error unless the newest head is the mirror as it is */
  assertFresh(because: string): void {
    assert.deepEqual(this.told.at(-1)?.state, this.#state(), `the head of ${this.name} is the mirror as it is, after\n${because}`);
  }

  /** @param url of the server @returns how many packages a client has read @throws Error for what it would complain of */
  async assertPublishedWhole(url: string): Promise<number> {
    const { complaints, packages } = await this.#client(async (path) => {
      const answer = await fetch(`${url}/${this.name}/${path}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 404) return undefined;
      assert.equal(answer.status, 200, path);
      return bytes;
    });
    assert.deepEqual(complaints, [], `what is published of ${this.name} is whole`);
    assert.ok(packages > 0);
    return packages;
  }

  /** The newest snapshot of each of seven days is kept, and what is kept comes back as it was. @param most so many are read @returns how many have been read */
  async assertNothingLost(most: number): Promise<number> {
    const lines = (await this.#machine.types(`shardctl snapshots ${this.name} --json`)).trim().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { readonly type: string; readonly number: number });
    const kept = new Set(events.filter(({ type }) => type === 'snapshot').map(({ number }) => number));
    const newest = [...new Map(this.told.map(({ number, hour }) => [Math.floor(hour / 24), number])).values()].slice(-7);
    for (const number of newest) assert.ok(kept.has(number), `${this.name}@${number} is the newest of its day, and is kept`);
    let read = 0;
    // One that was held back, or whose hook was killed with its run, nobody has told of.
    const all = this.told.filter((one) => kept.has(one.number));
    const step = Math.max(1, all.length / most);
    for (let at = 0; at < all.length; at += step) {
      const { number, state } = all[Math.floor(at)] as Told;
      const out = this.#machine.path('user', 'out');
      await this.#machine.types(`shardctl get ${this.name}@${number} -o ${out} -q`);
      assert.deepEqual(entriesOf(out, true), state, `${this.name}@${number}`);
      rmSync(out, { recursive: true });
      read++;
    }
    return read;
  }

  #state(): State {
    return entriesOf(this.#disk, true);
  }

  #copy(...some: readonly string[]): void {
    made('rsync', ['-a', '--delete', ...some, `${this.#upstream.dir}/`, `${this.#disk}/`]);
  }

  get #disk(): string {
    return this.#machine.path('real', this.name);
  }
}
