/** Every command, with its arguments and options. */
import { COMMIT, type CommandSpec, KEEP, PROBLEM, TRANSFER } from './command-spec.ts';
import { CONFIG_COMMANDS } from './config-spec.ts';
import { COPIES_COMMANDS } from './copies-spec.ts';
import type { OptionName } from './options.ts';
import { PEERS_COMMANDS } from './peers-spec.ts';
import { READING_COMMANDS } from './reading-spec.ts';

/** The first argument with which the script of `completion` starts the program at each TAB: yargs' own name for it. */
export const COMPLETION_REQUEST = '--get-yargs-completions';

/** Accepted by `add`, `update` and `watch`. */
const IMPORT: readonly OptionName[] = [
  'itemize',
  'max-delete',
  'ignore-ctime',
  'ignore-inode',
  'gate',
  'gate-action',
  'gate-keyring',
  'shard-size',
  'replication',
  ...TRANSFER,
  'publish',
  'on-commit',
  ...PROBLEM,
  'metrics-file',
  'lock-wait',
];

/** Accepted by `add` and `update`. */
const RUN: readonly OptionName[] = ['root-only', 'dry-run', 'checksum', ...IMPORT];

/** Handed on by `watch` to each update that it starts. */
export const EACH_UPDATE: readonly OptionName[] = [...IMPORT, 'grace'];

export const COMMANDS: readonly CommandSpec[] = [
  {
    words: 'add',
    arguments: ['DIR'],
    brief: 'import a directory tree as a repository',
    summary: 'import a directory tree, or bring its repository up to date',
    options: ['name', 'no-metadata', 'cid-profile', 'chunker', 'exclude', 'include', 'exclude-from', 'copy-links', ...RUN, 'shared'],
    examples: ['shardctl add /srv/mirror/debian', "shardctl add . --name npm --exclude '*.tmp' --replication 2:3"],
  },
  {
    words: 'update',
    arguments: ['[NAME…]'],
    summary: 'bring repositories up to date from where they were added',
    options: ['all', 'files-from', 'from-rsync', 'full-every', ...RUN, 'repair', 'grace'],
    examples: ['shardctl update debian -i', 'shardctl update --all -q --lock-wait 600'],
  },
  {
    words: 'watch',
    arguments: ['[NAME…]'],
    brief: 'bring repositories up to date as their sources change',
    summary: 'bring repositories up to date whenever their sources change, until it is stopped (Linux; elsewhere every so often)',
    options: ['all', 'settle', 'max-wait', 'sync-lock', 'full-every', 'every', ...EACH_UPDATE, 'repair'],
    examples: ['shardctl watch debian', 'shardctl watch debian --settle 30s --sync-lock /run/debian-sync.lock --full-every 12h -q'],
    startsRuns: true,
    // As long as the update that is under way takes to stop, and a little more.
    graceMs: 5000,
  },
  ...READING_COMMANDS,
  ...COPIES_COMMANDS,
  {
    words: 'status',
    arguments: [],
    brief: 'repositories, how the replicas stand, how full peers are',
    summary: 'repositories with their heads, how the replicas stand, and how full the peers are',
    options: ['shards', 'at-risk', 'peer', 'replication', 'metrics-file', 'root-only'],
    examples: ['shardctl status --at-risk', 'shardctl status --peer disk1'],
  },
  {
    words: 'snapshots',
    arguments: ['[NAME…]'],
    summary: 'list the snapshots of these repositories, or of all',
    options: ['root-only'],
    examples: ['shardctl snapshots debian'],
  },
  {
    words: 'stats',
    arguments: ['[NAME…]'],
    brief: 'how much is stored and shared, and how it grows',
    summary: 'how much is stored, how much is shared, and how it grows; with a NAME, what each snapshot has added',
    options: [],
    examples: ['shardctl stats', 'shardctl stats debian'],
  },
  {
    words: 'accept',
    arguments: ['NAME@N'],
    summary: 'make a snapshot the head that the gate holds back',
    options: ['publish', ...COMMIT, 'lock-wait'],
    examples: ['shardctl accept debian@8'],
  },
  {
    words: 'verify',
    arguments: ['[REF…]'],
    summary: 'check that the peers hold what the snapshots name',
    options: ['read-data', 'against', 'gate-keyring', 'peer', 'replication', ...PROBLEM, 'metrics-file', 'root-only'],
    examples: [
      'shardctl verify --read-data',
      'shardctl verify --read-data=3/30',
      'shardctl verify debian@7',
      'shardctl verify --against debian debian@7',
    ],
  },
  {
    words: 'repair',
    arguments: [],
    summary: 'mend what verify finds, from what other peers hold',
    options: ['read-data', 'replication', 'grace', ...TRANSFER, 'dry-run', ...PROBLEM, 'metrics-file', 'lock-wait'],
    examples: ['shardctl repair --read-data'],
  },
  {
    words: 'check',
    arguments: ['[NAME…]'],
    brief: 'read a part back, mend, forget and prune: for a timer',
    summary: 'for a daily timer: read a part of the shards back, mend what is damaged or missing, forget by the setting keep, and prune',
    options: [
      'verify',
      'grace',
      'max-unused',
      'max-repack',
      'shard-size',
      'transfers',
      'bwlimit',
      'gc',
      'dry-run',
      ...PROBLEM,
      'metrics-file',
      'lock-wait',
    ],
    examples: ['shardctl check -q --lock-wait 3600', 'shardctl check --verify 1/7 --grace 6h --max-repack 50GB'],
  },
  {
    words: 'forget',
    arguments: ['[NAME…]', '[SNAPSHOT…]'],
    brief: 'forget snapshots, by name or by rules of what to keep',
    summary: 'forget snapshots: those named of one repository, or of several all that no --keep rule wants; prune then frees their space',
    options: ['all', ...KEEP, 'dry-run', 'lock-wait'],
    examples: [
      'shardctl forget debian --keep-daily 7 --keep-weekly 4 --keep-monthly 12',
      'shardctl forget --all --keep-within 30d',
      'shardctl forget debian --keep-daily 7 --keep-tag bookworm-12.8',
      'shardctl forget debian 3 4',
    ],
  },
  {
    words: 'tag',
    arguments: ['REF', '[TAG…]'],
    brief: 'give a snapshot tags, by which it can be named',
    summary: 'give a snapshot tags, by which it can be named; without a tag, list those of a repository',
    options: ['move', 'remove', 'lock-wait'],
    examples: [
      'shardctl tag debian@7 bookworm-12.8',
      'shardctl tag debian tested --move',
      'shardctl tag debian tested --remove',
      'shardctl tag debian',
    ],
  },
  {
    words: 'prune',
    arguments: [],
    brief: 'free the space of what no retained snapshot needs',
    summary: 'free the space of what no retained snapshot needs, and of replicas over MAX',
    options: [
      'max-unused',
      'max-repack',
      'replication',
      'shard-size',
      ...TRANSFER,
      'orphans',
      'owner',
      'force',
      'gc',
      'dry-run',
      ...PROBLEM,
      'metrics-file',
      'lock-wait',
    ],
    examples: [
      'shardctl prune -n',
      'shardctl prune --max-unused 10% --max-repack 50GB',
      'shardctl prune --orphans --owner 3f0c12ab9d4e --force',
    ],
  },
  {
    words: 'rm',
    arguments: ['NAME…'],
    brief: 'remove repositories with all of their snapshots',
    summary: 'remove repositories with all of their snapshots, and free what nothing else needs',
    options: ['gc', 'dry-run', 'lock-wait'],
    examples: ['shardctl rm npm -n', 'shardctl rm npm pypi'],
  },
  {
    words: 'rename',
    arguments: ['OLD', 'NEW'],
    brief: 'give a repository another name',
    summary: 'give a repository another name; its trees and its IPNS name stay',
    options: ['lock-wait'],
    examples: ['shardctl rename debian debian-archive'],
  },
  {
    words: 'recover',
    arguments: ['[NAME|CID…]'],
    brief: 'make a lost home anew from what its peers hold',
    summary: 'make a lost home anew from what its peers hold; without a name, list what is there',
    options: ['from', 'all', 'owner', 'token-file', 'name', 'source', ...COMMIT, 'lock-wait'],
    examples: [
      'shardctl recover --from /mnt/disk1 --from /mnt/disk2',
      'shardctl recover debian --from /mnt/disk1 --from /mnt/disk2 --source /srv/mirror/debian',
      'shardctl recover bafybei… --from http://127.0.0.1:5001',
    ],
  },
  {
    words: 'publish',
    arguments: ['REF'],
    brief: 'point the IPNS name of a repository at one of its trees',
    summary: 'point the IPNS name of a repository at its newest tree, or back at an older one, through a Kubo daemon',
    options: ['peer', 'snapshot', 'lifetime', 'take-key', 'lock-wait'],
    examples: ['shardctl publish debian', 'shardctl publish debian --peer attic --lifetime 72h', 'shardctl publish debian@2026-11-25'],
  },
  {
    words: 'export',
    arguments: ['REF[/PATH]'],
    brief: 'write a tree as a CAR',
    summary: 'write a tree as one CARv1, as `ipfs dag export` does; --car says where',
    options: ['car', 'overwrite'],
    examples: ['shardctl export debian --car debian.car', 'shardctl export debian@7 --car - | ipfs dag import'],
  },
  {
    words: 'import-car',
    arguments: ['FILE'],
    summary: 'make a snapshot of a tree that came as a CAR; - is stdin',
    options: ['name', 'root', 'shard-size', 'replication', ...TRANSFER, ...COMMIT, 'root-only', 'lock-wait'],
    examples: ['shardctl import-car /media/usb/debian.car --name debian'],
  },
  {
    words: 'rebalance',
    arguments: [],
    brief: 'give each peer its share of what is stored',
    summary: 'give each peer its share of what is stored, with as little movement as does, and let go of replicas over MAX',
    options: ['replication', 'grace', ...TRANSFER, 'gc', 'dry-run', ...PROBLEM, 'lock-wait'],
    examples: ['shardctl rebalance -n', 'shardctl rebalance --allocate-by tag:zone,freespace --bwlimit 20M'],
  },
  ...CONFIG_COMMANDS,
  ...PEERS_COMMANDS,
  {
    words: 'bench',
    arguments: ['DIR'],
    brief: 'measure on a mirror of yours what shardctl and others take',
    summary: 'measure what shardctl, rsync, restic and ipfs take for this mirror, which is only read; in a home of its own (Linux)',
    options: ['rounds', 'tools', 'dest', 'html'],
    examples: ['shardctl bench /srv/mirror/debian/pool/main/a', 'shardctl bench . --tools rsync --dest /var/tmp --html bench.html'],
    startsRuns: true,
    // What it has made is removed: that may be as much as the mirror.
    graceMs: 60_000,
  },
  {
    words: 'completion',
    arguments: ['[SHELL]'],
    brief: 'print a script for bash, zsh or fish that completes words',
    summary: 'print a script for bash, zsh or fish that completes commands, options, repositories and peers',
    options: [],
    examples: [
      'shardctl completion bash >> ~/.bashrc',
      'shardctl completion zsh >> ~/.zshrc',
      'shardctl completion fish > ~/.config/fish/completions/shardctl.fish',
    ],
  },
  // These two are answered before a command is loaded (`args.ts`).
  {
    words: 'help',
    arguments: ['[COMMAND…]'],
    summary: 'show what there is, or explain a command or a group of them',
    options: [],
    examples: ['shardctl help update', 'shardctl help peers'],
  },
  { words: 'version', arguments: [], summary: 'show the version', options: [], examples: ['shardctl version'] },
];
