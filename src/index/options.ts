/** How an index is opened. */

export interface IndexOptions {
  readonly readOnly?: boolean;
  /** Make a new index where one was lost. [it is refused] */
  readonly anew?: boolean;
  /** Check every page of the block table, and go on without damaged segments, which `damagedSegments` lists then. */
  readonly checkBlocks?: boolean;
  /** Other runs may write at the same time (docs/locks.md). [nobody does] */
  readonly sharing?: Sharing | undefined;
}

/** How runs that write at the same time take turns. */
export interface Sharing {
  /** Whether nobody else writes while the index is being opened. */
  readonly isAlone: boolean;
  /** Begins what one run does at a time; undefined while another one does it. */
  readonly tryTask: (name: string) => { release(): void } | undefined;
}
