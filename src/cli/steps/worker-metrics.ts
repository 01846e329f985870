/**
 * The metrics of several workers as those of one server. A scrape reaches one of them: it asks the first process, which asks the others
 * and answers with what they say. What a worker had counted that has died since is added, as counters never go down.
 */
import type { Worker } from 'node:cluster';
import process from 'node:process';
import { endsWithin } from '../../core/waiting.ts';
import type { PlainFamily } from '../../serve/status/exposition.ts';
import type { Siblings } from '../../serve/status/siblings.ts';

/** A worker that takes longer is left out of this answer. */
const PATIENCE_MS = 1000;

type Families = readonly PlainFamily[];
type ToWorker =
  | { readonly do: 'count'; readonly id: number }
  | { readonly do: 'take'; readonly id: number; readonly all: readonly Families[] };
type FromWorker =
  | { readonly is: 'asking'; readonly id: number }
  | { readonly is: 'counted'; readonly id: number; readonly families: Families };

/** In the first process. */
export class MetricsExchange {
  readonly #workers = new Set<Worker>();
  /** What each worker has said last. */
  readonly #last = new Map<Worker, Families>();
  readonly #waiting = new Map<number, (families: Families) => void>();
  #gone: Families = [];
  #id = 0;

  add(worker: Worker): void {
    this.#workers.add(worker);
    worker.on('message', (message: FromWorker) => {
      if (message.is === 'asking') void this.#answer(worker, message.id);
      if (message.is !== 'counted') return;
      this.#last.set(worker, message.families);
      this.#waiting.get(message.id)?.(message.families);
      this.#waiting.delete(message.id);
    });
    worker.once('exit', () => {
      this.#workers.delete(worker);
      this.#gone = countersOf([this.#gone, this.#last.get(worker) ?? []]);
      this.#last.delete(worker);
    });
  }

  async #answer(asker: Worker, id: number): Promise<void> {
    const all: Families[] = [];
    const asked: number[] = [];
    const others = [...this.#workers].filter((worker) => worker !== asker && worker.isConnected());
    const answers = others.map(async (worker) => {
      this.#id += 1;
      const own = this.#id;
      asked.push(own);
      const counted = new Promise<Families>((resolve) => this.#waiting.set(own, resolve));
      worker.send({ do: 'count', id: own } satisfies ToWorker);
      all.push(await counted);
    });
    await endsWithin(PATIENCE_MS, Promise.all(answers));
    // Those that have not answered may never do: they hang, or have died.
    for (const question of asked) this.#waiting.delete(question);
    if (asker.isConnected()) asker.send({ do: 'take', id, all: this.#gone.length === 0 ? all : [...all, this.#gone] } satisfies ToWorker);
  }
}

/** In a worker: the others, by way of the first process. */
export function siblingsOf(): Siblings {
  const waiting = new Map<number, (all: readonly Families[]) => void>();
  let families: () => Promise<Families> = async () => [];
  let last = 0;
  const send = (message: FromWorker) => void process.send?.(message);
  process.on('message', (message: ToWorker) => {
    if (message.do === 'take') {
      waiting.get(message.id)?.(message.all);
      waiting.delete(message.id);
    }
    if (message.do === 'count') void families().then((counted) => send({ is: 'counted', id: message.id, families: counted }));
  });
  return {
    answerWith: (give) => {
      families = give;
    },
    others: async () => {
      last += 1;
      const id = last;
      let all: readonly Families[] = [];
      const taken = new Promise<void>((resolve) =>
        waiting.set(id, (given) => {
          all = given;
          resolve();
        }),
      );
      // What this worker has counted is told, too, so that it is not lost with it.
      send({ is: 'counted', id: 0, families: await families() });
      send({ is: 'asking', id });
      await endsWithin(2 * PATIENCE_MS, taken);
      waiting.delete(id);
      return all;
    },
  };
}

/** The sums of what only goes up; what a process has now, such as its memory, went with it. */
export function countersOf(all: readonly Families[]): Families {
  const sums = new Map<string, { family: PlainFamily; values: Map<string, PlainFamily['values'][number]> }>();
  for (const family of all.flat()) {
    if (family.aggregator !== 'sum' || !/^(counter|histogram)$/.test(String(family.type))) continue;
    const { values } = sums.get(family.name) ?? { values: new Map() };
    sums.set(family.name, { family, values });
    for (const sample of family.values) {
      const key = JSON.stringify({ ...sample, value: 0 });
      values.set(key, { ...sample, value: sample.value + (values.get(key)?.value ?? 0) });
    }
  }
  return [...sums.values()].map(({ family, values }) => ({ ...family, values: [...values.values()] }));
}
