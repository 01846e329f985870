/**
 * File operations of several actors in an order that a test chooses, one at a time, and actors that die between two of them. `install`
 * wraps what the program uses of node:fs/promises, in its own thread; who is no actor passes.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setImmediate } from 'node:timers/promises';

const NAMES = ['open', 'rename', 'link', 'unlink', 'stat', 'lstat', 'readdir', 'writeFile', 'mkdir', 'copyFile'] as const;
/** Turns of the event loop in which an actor gets to its next operation, if nothing but this program holds it up. */
const TURNS = 8;

interface Waiting {
  readonly actor: Actor;
  readonly go: () => void;
}

class Actor {
  isOver = false;
  isDead = false;
}

const current = new AsyncLocalStorage<Actor>();
let waiting: Waiting[] = [];

export function install(): void {
  const functions = fs.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of NAMES) {
    const original = functions[name] as (...args: unknown[]) => Promise<unknown>;
    functions[name] = async (...args) => {
      // Node reads a module that is imported late by its URL, with this very function, and once for all: an actor that died meanwhile would
      // leave nobody the module.
      const actor = args[0] instanceof URL ? undefined : current.getStore();
      if (actor !== undefined) await new Promise<void>((go) => void waiting.push({ actor, go }));
      return await original.apply(fs.promises, args);
    };
  }
  syncBuiltinESMExports();
}

/**
 * Runs the actors to their ends.
 * @param choose which actor may go on, of those that can; `dies` when it goes no further
 * @returns for each actor whether it came to its end
 */
export async function interleave(
  works: readonly (() => Promise<void>)[],
  choose: (able: readonly number[]) => { readonly actor: number; readonly dies: boolean },
): Promise<boolean[]> {
  const failures: unknown[] = [];
  const actors = works.map((work) => {
    const actor = new Actor();
    void current.run(actor, async () => {
      try {
        await work();
      } catch (error) {
        failures.push(error);
      } finally {
        actor.isOver = true;
      }
    });
    return actor;
  });
  const isOn = (actor: Actor) => !actor.isOver && !actor.isDead;
  while (actors.some(isOn)) {
    for (let turn = 0; turn < TURNS; turn++) await setImmediate();
    const able = waiting.filter(({ actor }) => actors.includes(actor) && isOn(actor));
    if (able.length === 0) continue;
    const { actor, dies } = choose([...new Set(able.map((one) => actors.indexOf(one.actor)))]);
    const one = able.find((it) => it.actor === actors[actor]) as Waiting;
    waiting = waiting.filter((it) => it !== one);
    if (dies) one.actor.isDead = true;
    else one.go();
  }
  waiting = waiting.filter(({ actor }) => !actors.includes(actor));
  if (failures.length > 0) throw failures[0];
  return actors.map(({ isDead }) => !isDead);
}
