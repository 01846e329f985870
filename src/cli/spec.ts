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
  /** Its arguments as help shows them; those in brackets may be left out. */
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
  exclude: { value: 'PATTERN', help: 'leave out what matches, as in rsync; the first rule that matches wins' },
  include: { value: 'PATTERN', help: 'keep what matches, although a later rule excludes it' },
  'exclude-from': { value: 'FILE', help: 'read patterns from a file, one a line; - is stdin' },
  'lock-wait': { value: 'SECONDS', help: 'wait for another run in this home [0]' },

  // get, ls, verify
  output: { short: 'o', value: 'OUT', help: 'the file or directory to make' },
  overwrite: { help: 'write into OUT although it is there' },
  long: { short: 'l', help: 'with mode, size, time and CID' },
  'read-data': { help: 'read every block back and hash it' },

  // peers
  capacity: { value: 'SIZE', help: 'most bytes that its shards may take, for example 500GB [the whole disk]' },
  tag: { value: 'KEY=VALUE', help: 'a label such as zone=a, for allocators; may be repeated' },
  layout: { value: 'LAYOUT', help: 'car: one CAR file a shard; blockstore: a blockstore-fs directory [car]' },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export type OptionName = keyof typeof OPTIONS;

/** Accepted by every command. */
export const COMMON: readonly OptionName[] = ['home', 'json', 'quiet', 'verbose', 'no-progress', 'help', 'version'];

export const COMMANDS: readonly CommandSpec[] = [
  {
    words: 'add',
    arguments: ['DIR'],
    summary: 'import a directory tree, or bring its repository up to date',
    options: [
      'name',
      'root-only',
      'no-metadata',
      'cid-profile',
      'chunker',
      'shard-size',
      'replication',
      'exclude',
      'include',
      'exclude-from',
      'lock-wait',
    ],
    examples: ['shardctl add /srv/mirror/debian', "shardctl add . --name npm --exclude '*.tmp' --replication 2:3"],
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
    options: ['read-data', 'root-only'],
    examples: ['shardctl verify --read-data', 'shardctl verify debian@7'],
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
    options: ['name', 'capacity', 'tag', 'layout', 'lock-wait'],
    examples: ['shardctl peers add local /mnt/disk1 --capacity 500GB --tag zone=a'],
  },
];
