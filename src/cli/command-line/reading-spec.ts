/** The commands that read the trees of this home. */
import type { CommandSpec } from './command-spec.ts';

export const READING_COMMANDS: readonly CommandSpec[] = [
  {
    words: 'diff',
    arguments: ['REF[/PATH]', 'REF[/PATH]'],
    summary: "show what differs between two trees, in rsync's code",
    options: [],
    examples: ['shardctl diff debian@6 debian'],
  },
  {
    words: 'get',
    arguments: ['REF[/PATH]…'],
    summary: 'write trees or files back, with their modes and times',
    options: [
      'output',
      'include',
      'exclude',
      'exclude-from',
      'overwrite',
      'delete',
      'max-delete',
      'dry-run',
      'lock-wait',
      'special-bits',
      'root-only',
    ],
    examples: [
      'shardctl get debian -o ./copy',
      'shardctl get debian@7/dists/stable/Release debian@7/pool/main -o parts',
      "shardctl get debian -o ./small --include '*/' --include '*amd64*' --exclude '*'",
      'shardctl get debian/dists -o - | tar -xf - -C /srv',
    ],
  },
  {
    words: 'cat',
    arguments: ['REF/PATH…'],
    summary: 'write the bytes of files to stdout, one after the other',
    options: ['range'],
    examples: ['shardctl cat debian/dists/stable/Release', 'shardctl cat debian/ls-lR.gz --range 0-9'],
  },
  {
    words: 'ls',
    arguments: ['REF[/PATH]'],
    summary: 'list a directory',
    options: ['long', 'recursive', 'human-readable', 'print0'],
    examples: ['shardctl ls -lh debian/pool/main', 'shardctl ls -R debian@2026-11-25/pool'],
  },
  {
    words: 'find',
    arguments: ['REF[/PATH]…'],
    summary: 'list what is in trees by name, kind, size or time',
    options: ['name', 'type', 'size', 'newer', 'long', 'human-readable', 'print0'],
    examples: [
      "shardctl find debian/pool --name '*.deb' --size +100M -lh",
      'shardctl find debian --type f --newer 7d',
      "shardctl find debian@7 --name 'Release*' -0 | xargs -0 -n 1 shardctl cat",
    ],
  },
  {
    words: 'du',
    arguments: ['REF[/PATH]…'],
    summary: 'count the bytes of the files below each directory',
    options: ['max-depth', 'summarize', 'human-readable', 'print0'],
    examples: ['shardctl du -h -d 1 debian', 'shardctl du -s debian@6/pool debian/pool'],
  },
];
