/** The commands by which others read a mirror, or have a copy of it. */
import type { CommandSpec } from './command-spec.ts';

export const COPIES_COMMANDS: readonly CommandSpec[] = [
  {
    words: 'mount',
    arguments: ['REF[/PATH]', 'DIR'],
    brief: 'show a tree as read-only files in a directory',
    summary: 'show a tree as read-only files in DIR, until it is stopped; NAME alone follows its head (Linux)',
    options: ['allow-other', 'special-bits'],
    examples: ['shardctl mount debian /srv/debian --allow-other', 'shardctl mount debian@7/dists mnt'],
    // Whoever is in it is looked for.
    graceMs: 10_000,
  },
  {
    words: 'serve',
    arguments: ['[NAME…]'],
    brief: 'give the mirror to package tools, nodes and people by HTTP',
    summary: 'give the mirror to package tools, IPFS nodes and people over HTTP',
    options: ['listen', 'announce', 'tls-cert', 'tls-key', 'token-file', 'workers', 'access-log', 'access-log-format'],
    examples: [
      'shardctl serve',
      'shardctl serve debian npm --listen 127.0.0.1:8080',
      'shardctl serve --listen 0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem --token-file tokens --access-log access.log',
    ],
    // What is under way may end: a large file to a slow reader.
    graceMs: 32_000,
  },
  {
    words: 'fetch',
    arguments: ['SRC', 'OUT'],
    brief: 'copy a tree from gateways, and bring the copy up to date',
    summary: 'copy a tree from gateways, a `serve` or a home into a directory, and bring the copy up to date',
    options: [
      ...([
        'via',
        'include',
        'exclude',
        'exclude-from',
        'delete',
        'max-delete',
        'dry-run',
        'itemize',
        'special-bits',
        'root-only',
        'token-file',
      ] as const),
      'lock-wait',
    ],
    examples: [
      'shardctl fetch http://mirror.example:8080/debian /srv/debian --delete',
      'shardctl fetch bafybei… ./copy --via http://127.0.0.1:8080 --via https://gateway.example',
      'shardctl fetch debian@7/dists ./dists -i',
    ],
  },
  {
    words: 'follow',
    arguments: ['SRC'],
    brief: 'hold the part of a repository of others that fewest hold',
    summary: 'hold a part of a repository that others publish: the shards that fewest hold',
    options: [
      'into',
      'max-bytes',
      'via',
      'router',
      'once',
      'every',
      'older',
      'max-delete',
      'transfers',
      'token-file',
      'dry-run',
      'lock-wait',
    ],
    examples: [
      'shardctl follow http://mirror.example.org:8080/debian --into /srv/space --max-bytes 200GB',
      'shardctl follow bafybei… --via http://127.0.0.1:8080 --into http://127.0.0.1:5001 --once -q',
    ],
  },
];
