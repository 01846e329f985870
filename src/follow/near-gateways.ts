/**
 * Gateways, of which those are asked first that have at hand what is asked for: a Kubo that has not looks for it among its peers, and is
 * silent for a minute when nobody has it.
 */
import type { BlockId } from '../core/model.ts';
import { GatewayFailure } from '../gateway/failure.ts';
import { Gateway } from '../gateway/gateway.ts';
import { Gateways, type GatewaysOptions } from '../gateway/gateways.ts';
import type { GatewayAddress } from '../gateway/request.ts';

interface Member {
  readonly address: GatewayAddress;
  readonly gateway: Gateway;
}

export class NearGateways {
  readonly #members: readonly Member[];
  readonly #options: GatewaysOptions;
  /** By the names of their gateways. */
  readonly #sets = new Map<string, Gateways>();
  /** Names of those that are asked no more. */
  readonly #dropped = new Set<string>();

  constructor(addresses: readonly GatewayAddress[], options: GatewaysOptions = {}) {
    this.#members = addresses.map((address) => ({ address, gateway: new Gateway(address, options.limits) }));
    this.#options = options;
  }

  /** Each by itself, to be asked what it has. */
  get each(): readonly Gateway[] {
    return this.#members.map(({ gateway }) => gateway);
  }

  /** Whether any of them is still asked. */
  get isAlive(): boolean {
    return this.#members.some(({ gateway }) => !this.#dropped.has(gateway.name));
  }

  /** Those that say that they have the block; all when none does. */
  async having(id: BlockId): Promise<Gateways> {
    const { signal } = this.#options;
    const answers = await Promise.all(
      this.#members.map(async (member) => {
        if (this.#dropped.has(member.gateway.name)) return [];
        try {
          return (await member.gateway.has(id, signal)) ? [member] : [];
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof GatewayFailure) return [];
          throw error;
        }
      }),
    );
    const near = answers.flat();
    return near.length === 0 ? this.all : this.#of(near);
  }

  get all(): Gateways {
    const alive = this.#members.filter(({ gateway }) => !this.#dropped.has(gateway.name));
    return this.#of(alive.length === 0 ? this.#members : alive);
  }

  close(): void {
    for (const gateways of this.#sets.values()) gateways.close();
    for (const { gateway } of this.#members) gateway.close();
  }

  #of(members: readonly Member[]): Gateways {
    const key = members.map(({ gateway }) => gateway.name).join('\n');
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const onDropped = (name: string, why: string) => {
      if (this.#dropped.has(name)) return;
      this.#dropped.add(name);
      this.#options.onDropped?.(name, why);
    };
    const made = new Gateways(
      members.map(({ address }) => address),
      { ...this.#options, onDropped },
    );
    this.#sets.set(key, made);
    return made;
  }
}
