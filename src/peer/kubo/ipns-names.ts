/**
 * IPNS names that a Kubo daemon publishes: a key for each repository. It alone uses kubo-rpc-client, for what that does well: keys and
 * names, small calls that are made seldom. Everything else goes through `peer/http`, because kubo-rpc-client does not show the trailers
 * in which a daemon says that an answer is not complete, its time-outs never fire, and it takes a quarter of a second to load.
 */
import { ShardctlError } from '../../core/errors.ts';
import { parseAddress } from '../http/address.ts';

export interface NamesOptions {
  /** URL of the daemon's RPC. */
  readonly url: string;
  /** What messages call the daemon. */
  readonly who: string;
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
}

export interface NamedRoot {
  /** The IPNS name, without `/ipns/`. */
  readonly name: string;
  /** What it points to, as a path. */
  readonly value: string;
}

type Client = ReturnType<typeof import('kubo-rpc-client')['create']>;

/** Publishing to the public DHT takes a minute or two. A call that takes longer than this is given up. */
const MOST_MS = 5 * 60_000;

/** Each call has a signal with a time limit: the client makes its own time-out into a signal that it does not pass on (7.1). */
export class KuboNames {
  readonly #client: Client;
  readonly #options: NamesOptions;

  static async connect(options: NamesOptions): Promise<KuboNames> {
    const { create } = await import('kubo-rpc-client');
    const { url, token } = options;
    const { base, authorization } = parseAddress(url, { token });
    return new KuboNames(create({ url: base, ...(authorization ? { headers: { authorization } } : {}) }), options);
  }

  private constructor(client: Client, options: NamesOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Names of the daemon's keys. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer */
  async keys(): Promise<readonly string[]> {
    const keys = await this.#ask('asking for its keys', (options) => this.#client.key.list(options));
    return keys.map(({ name }) => name);
  }

  /** Renames a key; the key itself and its IPNS name stay the same. */
  async rename(key: string, to: string): Promise<void> {
    await this.#ask('renaming a key', (options) => this.#client.key.rename(key, to, options));
  }

  /** Makes a key. Ed25519, because its IPNS name fits into one label of a host name. */
  async make(key: string): Promise<void> {
    await this.#ask('making a key', (options) => this.#client.key.gen(key, { type: 'ed25519', ...options }));
  }

  /**
   * Points the name of the key at a path.
   * @param lifetime how long the record is valid, for example `48h`; the daemon renews it while it runs
   */
  async publish(key: string, path: string, lifetime: string | undefined): Promise<NamedRoot> {
    const { name, value } = await this.#ask('publishing', (options) =>
      // `resolve` would look for the path in the network. A daemon that is offline publishes the record when it is online again.
      this.#client.name.publish(path, {
        key,
        resolve: false,
        allowOffline: true,
        ...(lifetime === undefined ? {} : { lifetime }),
        ...options,
      }),
    );
    return { name: name.replace('/ipns/', ''), value };
  }

  async #ask<T>(doing: string, ask: (options: { signal: AbortSignal }) => Promise<T>): Promise<T> {
    const { signal, who } = this.#options;
    try {
      return await ask({ signal: AbortSignal.any([signal, AbortSignal.timeout(MOST_MS)]) });
    } catch (error) {
      signal.throwIfAborted();
      throw new ShardctlError('TOO_FEW_PEERS', `${who}: ${doing}: ${reasonOf(error)}`, {
        hint: 'is the daemon running, and does it know other peers? Then run the same command again',
        retryable: true,
        cause: error,
      });
    }
  }
}

/** What the daemon answered, or why it did not: the first line, because the error of a proxy may be a page. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown } }).cause?.code;
  const text = typeof cause === 'string' ? cause : error instanceof Error ? error.message : String(error);
  const [line = ''] = text.split('\n', 1);
  return line.slice(0, 200);
}
