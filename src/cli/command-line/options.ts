/** What options there are, of all commands together, and what they mean. */
export interface OptionSpec {
  readonly short?: string;
  /** How help names its value; absent on a switch. */
  readonly value?: string;
  /** It may be given without a value, and has one only after an `=`. */
  readonly isValueOptional?: true;
  /** Each occurrence counts; of any other option the last one does. Where that is so in some commands alone, `help` says in which. */
  readonly isRepeatable?: true | 'in some commands';
  /** As `helpOf` completes it. What holds without the option stands in brackets at its end. */
  readonly help: string;
}

/** What help says of an option. */
export function helpOf({ help, isRepeatable }: OptionSpec): string {
  return isRepeatable === true ? help.replace(/( \[[^\]]*\])?$/, '; may be repeated$1') : help;
}

export const OPTIONS = {
  // common
  home: { value: 'DIR', help: 'where shardctl keeps its own files [SHARDCTL_HOME, else ~/.shardctl]' },
  json: { help: 'one JSON event per line on stdout, the last one {"type":"exit",…}' },
  quiet: { short: 'q', help: 'say nothing unless something is wrong' },
  verbose: { short: 'v', help: 'say more: each shard, and the stack of an internal error' },
  wide: { help: 'on a terminal: whole CIDs and times, and every peer, however long the lines get' },
  'no-progress': { help: 'plain lines instead of progress bars' },
  'log-file': { value: 'FILE', help: 'append to this, with times, whatever the run tells, also with -q' },
  'log-format': { value: 'FORMAT', help: 'of that file: text, or json, a line for each event [text]' },
  help: { short: 'h', help: 'show help' },
  version: { short: 'V', help: 'show the version' },

  // add
  name: {
    isRepeatable: 'in some commands',
    value: 'NAME',
    help: "the repository's or the peer's name [last part of the path]; find: a pattern such as '*.deb', may be repeated",
  },
  'root-only': { short: 'Q', help: "print nothing but the tree's root CID" },
  'no-metadata': { help: 'leave out mode and mtime: roots are then those of `ipfs add -r --hidden`' },
  'cid-profile': { value: 'PROFILE', help: 'unixfs-v1-2025 or unixfs-v0-2015 [unixfs-v1-2025]' },
  chunker: { value: 'CHUNKER', help: 'size-N, rabin, rabin-AVG or rabin-MIN-AVG-MAX [as the profile says]' },
  'shard-size': { value: 'SIZE', help: 'bytes of blocks per shard [128MiB]' },
  replication: {
    value: 'MIN[:MAX]',
    help: 'peers that must, and that may, hold each shard; -1 is every peer [as told before, else as the home is set to]',
  },
  'allocate-by': {
    value: 'LIST',
    help: 'how peers are chosen, in this order: tag:NAME, pinned-to:PEER+PEER, prefer:PEER+PEER, freespace, weight, most-free [as told before, else as the home is set to]',
  },
  transfers: { value: 'N', help: 'shards on their way at once [2, or 4 when any of the peers is a daemon]' },
  bwlimit: { value: 'SIZE/s', help: 'upload no more than this a second, all peers together, for example 10M [off]' },
  exclude: { isRepeatable: true, value: 'PATTERN', help: 'leave out what matches, as in rsync; the first rule that matches wins' },
  include: { isRepeatable: true, value: 'PATTERN', help: 'keep what matches, although a later rule excludes it' },
  'exclude-from': { isRepeatable: true, value: 'FILE', help: 'read patterns from a file, one a line; - is stdin' },
  'copy-links': {
    help: 'store symlinks as what they lead to, where that is inside DIR: gateways follow none; all others stay symlinks',
  },
  all: { help: 'every repository' },
  'files-from': {
    value: 'FILE',
    help: 'look only at these paths, one a line or ended by NUL; a directory with a `/` at its end is looked at as a whole; - is stdin',
  },
  'from-rsync': {
    value: 'FILE',
    help: 'look only at what rsync has changed in the source, by its --log-file, or by its output with -i; - is stdin',
  },
  'full-every': {
    value: 'TIME',
    help: 'look at everything all the same when that was not done for so long, for example 7d [never; watch: 24h]',
  },
  settle: { value: 'TIME', help: 'begin when nothing has changed for so long, for example 30s [5s]' },
  'max-wait': { value: 'TIME', help: 'wait no longer than this for that, or for the end of a sync [1h]' },
  'sync-lock': {
    isRepeatable: true,
    value: 'FILE',
    help: 'while this file is there, a sync is under way, and is waited for',
  },
  'dry-run': { short: 'n', help: 'show what would be done, and change nothing' },
  itemize: { short: 'i', help: "show each change, in rsync's code" },
  'max-delete': {
    value: 'N|P%',
    help: 'stop when more entries than this are gone from the source, or of the shards that follow holds; or none, for no limit [50%]',
  },
  'ignore-ctime': { help: 'do not read a file again because of its ctime: a chmod reads nothing' },
  'ignore-inode': { help: 'do not read a file again because of its inode number' },
  checksum: { help: 'read every file, whatever its size and times say' },
  'on-commit': {
    value: 'CMD',
    help: 'run this by `sh -c` when a repository has a new head, with JSON on stdin: see docs/hooks.md [as the repository or the home is set to]',
  },
  'on-problem': { value: 'CMD', help: 'the same when the run ends with something to say: an exit code over 0, or trouble with replicas' },
  'hook-timeout': { value: 'TIME', help: 'kill either of these after so long, for example 90s [as the home is set to, else 60s]' },
  repair: { help: 'then mend what is missing on the peers, as `shardctl repair` does; watch: after each look at everything' },
  grace: {
    value: 'TIME',
    help: 'wait for a peer that is silent for less than this, rather than make its replicas anew elsewhere, for example 6h [as the home is set to, else 0]',
  },
  gate: {
    value: 'KINDS',
    help: 'which indexes must agree with their files before a snapshot becomes the head: auto, off, or of debian,rpm,npm,pypi; add remembers it, update does not [as told before, else as the home is set to, else auto]',
  },
  'gate-action': {
    value: 'hold|warn',
    help: 'hold back a snapshot that its indexes contradict, or only warn; remembered as --gate [hold]',
  },
  'gate-keyring': {
    isRepeatable: true,
    value: 'FILE',
    help: 'keys of which one must have signed a Debian mirror, for gpgv; remembered as --gate [signatures are not checked]',
  },
  against: { value: 'KINDS', help: 'instead, compare what is stored with its indexes of these kinds, debian,rpm,npm,pypi; auto: of all' },
  'metrics-file': { value: 'FILE', help: 'write metrics for the node_exporter textfile collector, for example FILE.prom' },
  'lock-wait': { value: 'SECONDS', help: 'wait for another run in this home [0; watch: 3600]' },

  shared: { help: 'other users of the machine may read what is made, as the umask says [nobody else]' },
  'no-shared': { help: 'nobody else may read it any more' },

  // serve
  listen: { isRepeatable: true, value: 'HOST:PORT', help: 'where to listen [127.0.0.1:8080]' },
  announce: {
    isRepeatable: true,
    value: 'URL',
    help: 'where IPFS nodes find it, as behind a proxy [where they have reached it]',
  },
  'tls-cert': { value: 'FILE', help: 'certificate with those that sign it, PEM: HTTPS, with HTTP/2' },
  'tls-key': { value: 'FILE', help: "the certificate's key, PEM" },
  workers: { value: 'N', help: 'processes that serve [1]' },
  'access-log': { value: 'FILE', help: 'a line for each answer; - is stdout' },
  'access-log-format': { value: 'FORMAT', help: 'common or json [common]' },

  // fetch
  delete: { help: 'delete in OUT what SRC, or the tree, does not have; get: brings OUT up to date, as fetch does' },

  // follow
  into: {
    isRepeatable: true,
    value: 'PEER',
    help: 'a peer to fill: its name, the directory of a local one, or the URL of a Kubo',
  },
  via: { isRepeatable: true, value: 'URL', help: 'a trustless gateway to read from: any Kubo, any `serve`' },
  'max-bytes': { value: 'SIZE', help: 'hold no more than this in all, for example 200GB [what the peers have room for]' },
  router: {
    isRepeatable: true,
    value: 'URL',
    help: 'whom to ask who holds a shard, by /routing/v1 [the `serve` that SRC names]',
  },
  once: { help: 'end when nothing more can be taken, as cron wants it [wait, and look again]' },
  every: { value: 'TIME', help: 'how long to wait between two looks, for example 30m or 6h; watch: where nothing tells of changes [1h]' },
  older: { help: 'also follow a snapshot that is older than the one before' },

  // bench
  dest: { value: 'DIR', help: "where stores are made, and removed again: twice the mirror's bytes [the system's temporary directory]" },
  rounds: { value: 'N', help: 'turns of each program [3]' },
  tools: { value: 'LIST', help: 'what to compare with, of rsync, restic and ipfs; or none [all that are installed]' },
  html: { value: 'FILE', help: 'also write the figures as a page that can be looked at' },

  // config
  repository: { value: 'NAME', help: 'what this repository asks for itself, rather than what the home decides' },
  unset: { help: "back to the home's own, or the home back to the default" },
  restore: { help: 'write config.json again as it was last found good, or as it was before somebody changed it' },

  // get, ls, verify
  output: {
    short: 'o',
    value: 'OUT',
    help: 'the file or directory to make; ends in a slash, or there are several: what they go into; - is stdout, trees as a tar',
  },
  overwrite: { help: 'write into OUT although it is there' },
  'special-bits': { help: 'keep setuid, setgid and sticky bits also of a tree that came from elsewhere' },
  'allow-other': { help: 'let every user of this machine look at it, as the modes say' },
  car: { value: 'FILE', help: 'the CAR to write; - is stdout' },
  root: { value: 'CID', help: 'the root of the tree to take, of a CAR that has several or names none' },
  'at-risk': { help: 'only the shards that are on fewer peers than asked for, worst first; ends with 46 when there are any' },
  shards: { help: 'one line for each shard: who should have it, and who has' },
  long: { short: 'l', help: 'with mode, size, time and CID' },
  range: { value: 'FROM-TO', help: 'only these bytes, both included and counted from 0; FROM- to the end, -N the last N [all]' },
  recursive: { short: 'R', help: 'go down into directories' },
  'human-readable': { help: 'sizes as people read them; -h for short, where a REF is given' },
  print0: { short: '0', help: 'end each line by NUL, and write names as they are' },
  type: { value: 'f|d|l', help: 'files, directories or symlinks; several with commas [all]' },
  size: { isRepeatable: true, value: '[+|-]SIZE', help: 'files of this size, or of more (+1M) or less (-500KB)' },
  newer: { value: 'AGE|DATE', help: 'what was modified later than that: 7d for a week ago, or 2026-11-25 (UTC)' },
  'max-depth': { short: 'd', value: 'N', help: 'tell of no directory further down than this [all]' },
  summarize: { short: 's', help: 'tell of the whole alone, as -d 0' },
  'read-data': {
    value: '[=N/T|=P%]',
    isValueOptional: true,
    help: 'read every block back and hash it; or those of the Nth of T parts of the shards, or of P % of them',
  },

  // forget, prune, recover
  'keep-last': { value: 'N', help: 'keep the N newest snapshots; here and below, N may be unlimited' },
  'keep-hourly': { value: 'N', help: 'keep the newest snapshot of each of the last N hours that have one (UTC)' },
  'keep-daily': { value: 'N', help: 'the same for days' },
  'keep-weekly': { value: 'N', help: 'the same for weeks' },
  'keep-monthly': { value: 'N', help: 'the same for months' },
  'keep-yearly': { value: 'N', help: 'the same for years' },
  'keep-within': { value: 'TIME', help: 'keep what is not older than this, counted from the newest snapshot, for example 2y5m7d3h' },
  'keep-tag': { isRepeatable: true, value: 'TAG', help: 'keep the snapshot that has this tag' },
  'max-unused': { value: 'SIZE|P%', help: 'unused bytes that may stay in shards; or unlimited [5%]' },
  'max-repack': { value: 'SIZE', help: 'copy at most this many bytes out of thin shards, the thinnest first [no limit; check: 10GB]' },
  verify: { value: 'N/T', help: 'read N of T parts of the shards back, others in each run until all were read; or none [1/30]' },
  from: { isRepeatable: true, value: 'PLACE', help: 'directory of a local peer, or URL of a Kubo' },
  source: { value: 'DIR', help: 'where the repository is updated from' },
  owner: { value: 'ID', help: 'only what the home of this ID has marked as its own; prune --orphans: that home is dead' },

  // tag
  move: { help: 'a TAG that another snapshot has goes over to this one' },
  remove: { help: 'take these tags away' },

  // publish
  publish: { help: "then point the repository's IPNS name at the new tree, as `shardctl publish` does" },
  peer: {
    isRepeatable: 'in some commands',
    value: 'PEER',
    help: 'publish: the Kubo daemon that is to do it [the one that has the key, else the first]; status: only this peer, and what it should hold; verify --against: read from this peer alone, may be repeated',
  },
  lifetime: { value: 'TIME', help: 'how long the name may be believed when its daemon is gone, for example 48h [as the daemon does]' },
  snapshot: { help: 'keep a second name, which leads to the snapshot: for `shardctl fetch` and `follow`' },
  'take-key': { value: 'KEY', help: 'take over this key of the daemon, and with it the IPNS name that another home has published' },

  // peers
  reserve: { value: 'SIZE', help: 'bytes that stay free on it [16MiB]' },
  weight: { value: 'N', help: 'its part of the shards, for the allocator `weight` [1]' },
  capacity: { value: 'SIZE', help: 'most bytes that it may take, for example 500GB [the whole disk, or what a daemon is set to]' },
  tag: { isRepeatable: true, value: 'KEY=VALUE', help: 'a label such as zone=a, for allocators' },
  user: { value: 'USER', help: 'user of the REST API' },
  'password-file': { value: 'FILE', help: "file with the user's password" },
  ca: { value: 'FILE', help: "certificate to trust, or its authority's, PEM [the system's]" },
  federate: { help: 'the whole cluster is one peer, and chooses its members itself' },
  members: {
    isRepeatable: true,
    value: 'A,B',
    help: 'members that count, beside those that do already, by their names or IDs [those that the cluster trusts]',
  },
  kubo: { isRepeatable: true, value: 'MEMBER=URL', help: "RPC API of a member's Kubo, for fast uploads and for reading" },
  'token-file': {
    value: 'FILE',
    help: 'serve: says who may read what, by lines NAME TOKEN, see docs/serve.md; fetch, follow: holds the token of a private SRC; else: holds the bearer token of a daemon [SHARDCTL_TOKEN_NAME in the environment]',
  },
  gateway: { value: 'URL', help: 'of its HTTP gateway; from that of a cluster is read what no Kubo that is known has' },
  path: { value: 'PATH', help: 'where its directory is now' },
  url: { value: 'URL', help: 'where its daemon is now' },
  force: { help: 'peers rm: although its replicas are needed, it is dead, and they are lost; prune --orphans: free what is listed' },
  orphans: { help: 'instead, say which homes use the peers, and what of it none of them needs' },
  undo: { help: 'give it shards again' },
  gc: { help: 'ask daemons to collect the space of what was removed, now' },
  layout: { value: 'LAYOUT', help: 'car: one CAR file a shard; blockstore: a blockstore-fs directory [car]' },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export type OptionName = keyof typeof OPTIONS;
