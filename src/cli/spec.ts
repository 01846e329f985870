/** The command line as data: what there is to say, and what it means. Read by `args.ts` (parsing) and `help.ts`. */
export interface OptionSpec {
  readonly short?: string;
  /** How help names its value; absent on a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface CommandSpec {
  /** The words that select it, for example `peers ls`. */
  readonly words: string;
  /** Its arguments as help shows them; those in brackets may be left out, and one with `…` may be repeated. */
  readonly arguments: readonly string[];
  readonly summary: string;
  readonly options: readonly OptionName[];
  readonly examples?: readonly string[];
}

export const OPTIONS = {
  // common
  home: { value: 'DIR', help: 'where shardctl keeps its own files [SHARDCTL_HOME, else ~/.shardctl]' },
  json: { help: 'one JSON event per line on stdout, the last one {"type":"exit",…}' },
  quiet: { short: 'q', help: 'say nothing unless something is wrong' },
  verbose: { short: 'v', help: 'say more: each shard, and the stack of an internal error' },
  'no-progress': { help: 'plain lines instead of progress bars' },
  help: { short: 'h', help: 'show help' },
  version: { help: 'show the version' },

  // add
  name: { value: 'NAME', help: "the repository's or the peer's name [last part of the path]" },
  'root-only': { short: 'Q', help: "print nothing but the tree's root CID" },
  'no-metadata': { help: 'leave out mode and mtime: roots are then those of `ipfs add -r --hidden`' },
  'cid-profile': { value: 'PROFILE', help: 'unixfs-v1-2025 or unixfs-v0-2015 [unixfs-v1-2025]' },
  chunker: { value: 'CHUNKER', help: 'size-N, rabin, rabin-AVG or rabin-MIN-AVG-MAX [as the profile says]' },
  'shard-size': { value: 'SIZE', help: 'bytes of blocks per shard [128MiB]' },
  replication: { value: 'MIN[:MAX]', help: 'peers that must, and that may, hold each shard; -1 is every peer [1]' },
  'allocate-by': {
    value: 'LIST',
    help: 'how peers are chosen, in this order: tag:NAME, pinned-to:PEER+PEER, prefer:PEER+PEER, freespace, weight, most-free [freespace]',
  },
  transfers: { value: 'N', help: 'shards on their way at once [2]' },
  bwlimit: { value: 'SIZE/s', help: 'upload no more than this a second, all peers together, for example 10M [off]' },
  exclude: { value: 'PATTERN', help: 'leave out what matches, as in rsync; the first rule that matches wins' },
  include: { value: 'PATTERN', help: 'keep what matches, although a later rule excludes it' },
  'exclude-from': { value: 'FILE', help: 'read patterns from a file, one a line; - is stdin' },
  all: { help: 'every repository' },
  'dry-run': { short: 'n', help: 'show what would be done, and change nothing' },
  itemize: { short: 'i', help: "show each change, in rsync's code" },
  'max-delete': { value: 'N|P%', help: 'stop when more entries than this are gone from the source; or none, for no limit [50%]' },
  'ignore-ctime': { help: 'do not read a file again because of its ctime: a chmod reads nothing' },
  'ignore-inode': { help: 'do not read a file again because of its inode number' },
  checksum: { help: 'read every file, whatever its size and times say' },
  'metrics-file': { value: 'FILE', help: 'write metrics for the node_exporter textfile collector, for example FILE.prom' },
  'lock-wait': { value: 'SECONDS', help: 'wait for another run in this home [0]' },

  // get, ls, verify
  output: { short: 'o', value: 'OUT', help: 'the file or directory to make' },
  overwrite: { help: 'write into OUT although it is there' },
  long: { short: 'l', help: 'with mode, size, time and CID' },
  'read-data': { help: 'read every block back and hash it' },

  // forget, prune, recover
  'keep-last': { value: 'N', help: 'keep the N newest snapshots; here and below, N may be unlimited' },
  'keep-hourly': { value: 'N', help: 'keep the newest snapshot of each of the last N hours that have one (UTC)' },
  'keep-daily': { value: 'N', help: 'the same for days' },
  'keep-weekly': { value: 'N', help: 'the same for weeks' },
  'keep-monthly': { value: 'N', help: 'the same for months' },
  'keep-yearly': { value: 'N', help: 'the same for years' },
  'keep-within': { value: 'TIME', help: 'keep what is not older than this, counted from the newest snapshot, for example 2y5m7d3h' },
  'max-unused': { value: 'SIZE|P%', help: 'unused bytes that may stay in shards; or unlimited [5%]' },
  'max-repack': { value: 'SIZE', help: 'copy at most this many bytes out of thin shards, the thinnest first [no limit]' },
  from: { value: 'PLACE', help: 'directory of a local peer, or URL of a Kubo; may be repeated' },
  source: { value: 'DIR', help: 'where the repository is updated from' },

  // peers
  reserve: { value: 'SIZE', help: 'bytes that stay free on it [16MiB]' },
  weight: { value: 'N', help: 'its part of the shards, for the allocator `weight` [1]' },
  capacity: { value: 'SIZE', help: 'most bytes that it may take, for example 500GB [the whole disk, or what a daemon is set to]' },
  tag: { value: 'KEY=VALUE', help: 'a label such as zone=a, for allocators; may be repeated' },
  user: { value: 'USER', help: 'user of the REST API' },
  'password-file': { value: 'FILE', help: "file with the user's password" },
  ca: { value: 'FILE', help: "certificate to trust, or its authority's, PEM [the system's]" },
  federate: { help: 'the whole cluster is one peer, and chooses its members itself' },
  kubo: { value: 'MEMBER=URL', help: "RPC API of a member's Kubo, for fast uploads and for reading; may be repeated" },
  'token-file': { value: 'FILE', help: 'holds the bearer token of the daemon [SHARDCTL_TOKEN_NAME in the environment]' },
  gateway: { value: 'URL', help: 'of its HTTP gateway; from that of a cluster is read what no Kubo that is known has' },
  layout: { value: 'LAYOUT', help: 'car: one CAR file a shard; blockstore: a blockstore-fs directory [car]' },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export type OptionName = keyof typeof OPTIONS;

/** Accepted by every command. */
export const COMMON: readonly OptionName[] = ['home', 'json', 'quiet', 'verbose', 'no-progress', 'help', 'version'];

/** Of whatever puts shards on peers. */
const TRANSFER: readonly OptionName[] = ['allocate-by', 'transfers', 'bwlimit'];

/** Of a run, for the first time or again. */
const RUN: readonly OptionName[] = [
  'root-only',
  'dry-run',
  'itemize',
  'max-delete',
  'ignore-ctime',
  'ignore-inode',
  'checksum',
  'shard-size',
  'replication',
  ...TRANSFER,
  'metrics-file',
  'lock-wait',
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    words: 'add',
    arguments: ['DIR'],
    summary: 'import a directory tree, or bring its repository up to date',
    options: ['name', 'no-metadata', 'cid-profile', 'chunker', 'exclude', 'include', 'exclude-from', ...RUN],
    examples: ['shardctl add /srv/mirror/debian', "shardctl add . --name npm --exclude '*.tmp' --replication 2:3"],
  },
  {
    words: 'update',
    arguments: ['[NAME…]'],
    summary: 'bring repositories up to date from where they were added',
    options: ['all', ...RUN],
    examples: ['shardctl update debian -i', 'shardctl update --all -q --lock-wait 600'],
  },
  {
    words: 'diff',
    arguments: ['REF[/PATH]', 'REF[/PATH]'],
    summary: "show what differs between two trees, in rsync's code",
    options: [],
    examples: ['shardctl diff debian@6 debian'],
  },
  {
    words: 'get',
    arguments: ['REF[/PATH]'],
    summary: 'write a tree or a file back, with its modes and times',
    options: ['output', 'overwrite', 'root-only'],
    examples: ['shardctl get debian -o ./copy', 'shardctl get debian@7/dists/stable/Release -o Release'],
  },
  {
    words: 'cat',
    arguments: ['REF/PATH'],
    summary: 'write the bytes of a file to stdout',
    options: [],
    examples: ['shardctl cat debian/dists/stable/Release'],
  },
  {
    words: 'ls',
    arguments: ['REF[/PATH]'],
    summary: 'list a directory',
    options: ['long'],
    examples: ['shardctl ls -l debian/pool/main'],
  },
  {
    words: 'status',
    arguments: [],
    summary: 'repositories with their heads, and how full the peers are',
    options: ['root-only'],
  },
  {
    words: 'snapshots',
    arguments: ['[NAME]'],
    summary: 'list the snapshots of one repository, or of all',
    options: ['root-only'],
  },
  {
    words: 'verify',
    arguments: ['[REF]'],
    summary: 'check that the peers hold what the snapshots name',
    options: ['read-data', 'replication', 'root-only'],
    examples: ['shardctl verify --read-data', 'shardctl verify debian@7'],
  },
  {
    words: 'repair',
    arguments: [],
    summary: 'mend what verify finds, from what other peers hold',
    options: ['read-data', 'replication', ...TRANSFER, 'dry-run', 'lock-wait'],
    examples: ['shardctl repair --read-data'],
  },
  {
    words: 'forget',
    arguments: ['NAME', '[SNAPSHOT…]'],
    summary: 'forget snapshots: those named, or all that no --keep rule wants; prune then frees their space',
    options: [
      'keep-last',
      'keep-hourly',
      'keep-daily',
      'keep-weekly',
      'keep-monthly',
      'keep-yearly',
      'keep-within',
      'dry-run',
      'lock-wait',
    ],
    examples: ['shardctl forget debian --keep-daily 7 --keep-weekly 4 --keep-monthly 12', 'shardctl forget debian 3 4'],
  },
  {
    words: 'prune',
    arguments: [],
    summary: 'free the space of what no retained snapshot needs',
    options: ['max-unused', 'max-repack', 'replication', 'shard-size', ...TRANSFER, 'dry-run', 'lock-wait'],
    examples: ['shardctl prune -n', 'shardctl prune --max-unused 10% --max-repack 50GB'],
  },
  {
    words: 'recover',
    arguments: ['SNAPSHOT'],
    summary: 'make a lost home anew from what its peers hold',
    options: ['from', 'token-file', 'name', 'source', 'lock-wait'],
    examples: ['shardctl recover bafybei… --from /mnt/disk1 --from /mnt/disk2 --source /srv/mirror/debian'],
  },
  {
    words: 'peers ls',
    arguments: [],
    summary: 'list the peers and their space',
    options: [],
  },
  {
    words: 'peers add local',
    arguments: ['PATH'],
    summary: 'set up a directory of this machine as a peer',
    options: ['name', 'capacity', 'reserve', 'weight', 'tag', 'layout', 'lock-wait'],
    examples: ['shardctl peers add local /mnt/disk1 --capacity 500GB --tag zone=a'],
  },
  {
    words: 'peers add cluster',
    arguments: ['URL'],
    summary: 'set up the members of an IPFS Cluster as peers, by its REST API',
    options: [
      'name',
      'user',
      'password-file',
      'token-file',
      'ca',
      'kubo',
      'gateway',
      'federate',
      'replication',
      'capacity',
      'reserve',
      'weight',
      'tag',
      'lock-wait',
    ],
    examples: [
      'shardctl peers add cluster http://127.0.0.1:9094 --name attic --kubo c1=http://10.0.0.1:5001',
      'shardctl peers add cluster https://cluster.example:9094 --name east --federate --user admin --password-file /etc/shardctl/east',
    ],
  },
  {
    words: 'peers add kubo',
    arguments: ['URL'],
    summary: 'set up a Kubo daemon as a peer, by the URL of its RPC',
    options: ['name', 'capacity', 'reserve', 'weight', 'tag', 'token-file', 'gateway', 'lock-wait'],
    examples: [
      'shardctl peers add kubo http://127.0.0.1:5001 --tag zone=a',
      'shardctl peers add kubo https://attic:5001 --token-file attic.token',
    ],
  },
];
