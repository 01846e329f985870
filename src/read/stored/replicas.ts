/** The copies of shards on the peers of a home, as long as a process runs: views of the home come and go, and these stay open. */
import type { Peer } from '../../peer/peer.ts';

export interface ReplicasOptions {
  readonly peers: ReadonlyMap<string, Peer>;
  /** Directory for what is computed once of each shard, which anybody may delete at any time; made when it is needed. Without one it is kept in memory. */
  readonly cache?: string;
  /** Called once for each peer and message when a replica cannot be read, and again when the peer has answered in between. */
  readonly onTrouble?: (message: string, cause: string) => void;
}

export class Replicas {
  readonly options: ReplicasOptions;

  constructor(options: ReplicasOptions) {
    this.options = options;
  }

  async close(): Promise<void> {}
}
