/** What people see of shards and catalogues on a peer: the names of pins, and what events and messages call them. */

/** What people see of a shard on a peer. */
export function shardLabel(repository: string, number: number): string {
  return `${repository} ${String(number).padStart(8, '0')}`;
}

/** What people see of a snapshot's catalogue on a peer. */
export function catalogueLabel(repository: string, number: number): string {
  return `${repository} ${number} catalogue`;
}
