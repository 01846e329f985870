/**
 * The gauges of a home, for Prometheus: one table for `--metrics-file` and for `/metrics` of `serve`, so that a series means the same
 * wherever it comes from. Alert rules and the dashboard in `docs/` name them: a gauge that is here stays.
 */

type Gauge = readonly [name: string, help: string];

export const GAUGES = {
  // Labels: repository.
  timestamp: ['shardctl_last_run_timestamp_seconds', 'When the last run ended.'],
  duration: ['shardctl_last_run_duration_seconds', 'How long it took.'],
  exitCode: ['shardctl_last_run_exit_code', 'How it ended: 0 is well, the others are in the README.'],
  changed: ['shardctl_last_run_changed_entries', 'Entries that were new, different or gone.'],
  newBytes: ['shardctl_last_run_new_bytes', 'Bytes of blocks that were stored.'],
  changeDuration: ['shardctl_last_change_duration_seconds', 'How long the last run took that has made a snapshot.'],
  changeEntries: ['shardctl_last_change_entries', 'Entries that were new, different or gone in it.'],
  changeNewBytes: ['shardctl_last_change_new_bytes', 'Bytes of blocks that it has stored.'],
  files: ['shardctl_files', 'Files in the newest snapshot.'],
  bytes: ['shardctl_bytes', 'Bytes of these files.'],
  snapshot: ['shardctl_snapshot_timestamp_seconds', 'When the newest snapshot was made.'],
  snapshots: ['shardctl_snapshots', 'Snapshots that are kept.'],
  heldBack: ['shardctl_snapshots_held', 'Snapshots newer than the head that the gate holds back.'],
  shards: ['shardctl_shards', 'Shards that it needs.'],
  underReplicated: ['shardctl_shards_under_replicated', 'Those of them on fewer peers than they should be.'],
  damaged: ['shardctl_shards_damaged', 'Those of them with blocks that no peer had intact when they were last read.'],

  // Labels: peer.
  peerAnswers: ['shardctl_peer_answers', '1 when the peer has answered, 0 when it has not.'],
  peerUsed: ['shardctl_peer_used_bytes', 'Bytes that shards take on the peer.'],
  peerFree: ['shardctl_peer_free_bytes', 'Bytes that it can take.'],
  peerShards: ['shardctl_peer_shards', 'Shards that are recorded as there.'],
  peerDrained: ['shardctl_peer_drained', '1 when nothing new is put there.'],
  // Labels: peer, kind, zone.
  peerInfo: ['shardctl_peer_info', 'Always 1; the labels tell of the peer.'],

  // Labels: command.
  commandTimestamp: ['shardctl_command_timestamp_seconds', 'When the last run of the command ended.'],
  commandDuration: ['shardctl_command_duration_seconds', 'How long it took.'],
  commandExitCode: ['shardctl_command_exit_code', 'How it ended: 0 is well, the others are in the README.'],

  // No labels.
  homeLastRun: [
    'shardctl_home_last_run_timestamp_seconds',
    'When a run last took the lock of the home or gave it back, whatever it came to.',
  ],
  free: ['shardctl_free_bytes', 'Bytes that all peers together can take: a disk that several of them lie on counts once.'],
  verifyShards: ['shardctl_verify_shards', 'Shards and catalogues that the last verify has looked at.'],
  verifyReadBytes: ['shardctl_verify_read_bytes', 'Bytes that it has read back.'],
  verifyDamaged: ['shardctl_verify_damaged', 'What it has found damaged or missing.'],
  verifySilent: ['shardctl_verify_silent_peers', 'Peers that did not answer it.'],
  repairMended: ['shardctl_repair_mended_replicas', 'Replicas that the last repair has written anew.'],
  repairAdded: ['shardctl_repair_added_replicas', 'Replicas that it has placed on further peers.'],
  repairLacking: ['shardctl_repair_lacking_shards', 'Shards that it has left on too few peers.'],
  repairLost: ['shardctl_repair_lost_shards', 'Shards with blocks that no peer has intact.'],
  pruneFreed: ['shardctl_prune_freed_bytes', 'Bytes that the last prune has freed.'],
  pruneRemoved: ['shardctl_prune_removed_shards', 'Shards that it has removed.'],
  pruneCopied: ['shardctl_prune_copied_bytes', 'Bytes that it has copied out of shards with few blocks in use.'],
  pruneUnused: ['shardctl_prune_unused_bytes', 'Unused bytes in the shards that it has left.'],
  pruneLeft: ['shardctl_prune_left_shards', 'Shards that stay because a peer did not answer.'],
  checkReadBytes: ['shardctl_check_read_bytes', 'Bytes that the last check has read back.'],
  checkMended: ['shardctl_check_mended_replicas', 'Replicas that it has written anew, or placed on further peers.'],
  checkForgotten: ['shardctl_check_forgotten_snapshots', 'Snapshots that it has forgotten.'],
  checkFreed: ['shardctl_check_freed_bytes', 'Bytes that it has freed.'],
  checkAtRisk: ['shardctl_check_at_risk_shards', 'Shards and catalogues that it has left on fewer peers than asked for.'],
  checkLost: ['shardctl_check_lost_shards', 'Shards with blocks that no peer has intact.'],
  shardsAtRisk: ['shardctl_shards_at_risk', 'Shards and catalogues on fewer peers than are asked for, by the word of the peers.'],
  shardsLost: ['shardctl_shards_lost', 'Those of them on no peer, while all that should have them have answered.'],
  shardsSilent: ['shardctl_shards_silent', 'Those of them on no peer that answers.'],
} as const satisfies Record<string, Gauge>;

export type GaugeKey = keyof typeof GAUGES;
export type Labels = Readonly<Record<string, string>>;

/** Values of gauges at one moment. */
export class Readings {
  readonly #values = new Map<GaugeKey, { readonly labels: Labels; readonly value: number }[]>();

  /** A value that is not known is no reading: the series is left out. */
  add(key: GaugeKey, labels: Labels, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return;
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [{ labels, value }]);
    else values.push({ labels, value });
  }

  /** In the order of `GAUGES`. */
  *families(): Iterable<{ name: string; help: string; values: readonly { readonly labels: Labels; readonly value: number }[] }> {
    for (const key of Object.keys(GAUGES) as GaugeKey[]) {
      const values = this.#values.get(key);
      const [name, help] = GAUGES[key];
      if (values !== undefined) yield { name, help, values };
    }
  }

  /** As Prometheus reads it. */
  text(): string {
    const lines: string[] = [];
    for (const { name, help, values } of this.families()) {
      lines.push(
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...values.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`),
      );
    }
    return `${lines.join('\n')}\n`;
  }
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escaped(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
