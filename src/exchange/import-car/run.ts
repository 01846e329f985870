/** What one run of `import-car` is asked for, and what it works on. */
import type { CidVersion } from '../../dag/cid.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import type { Demand } from '../../storing/demand.ts';

export interface ImportCarRun extends Maintenance, Demand {
  readonly repository: string;
  /** What the repository is recorded to ask for, from this run on. */
  readonly ownDemand: Partial<Demand>;
  readonly car: AsyncIterable<Uint8Array>;
  /** What the CAR is called in messages. */
  readonly name: string;
  /** CID of the root to take, where the CAR has several. */
  readonly root?: string;
  /** CID profile of a repository that is new here, by the version of the tree's CID. */
  readonly profileOf: (version: CidVersion) => string;
  readonly toolVersion: string;
}
