/** The commands on settings. */
import type { CommandSpec } from './command-spec.ts';

/** `config` is the last, as its own words begin those of the others. */
export const CONFIG_COMMANDS: readonly CommandSpec[] = [
  {
    words: 'config ls',
    arguments: ['[SETTING]'],
    brief: 'what the home and the repositories ask for',
    summary: 'show what the home and the repositories ask for, and where each value comes from; docs/config.md explains each setting',
    options: ['repository'],
    examples: ['shardctl config ls', 'shardctl config ls keep', 'shardctl config ls --repository debian'],
  },
  {
    words: 'config get',
    arguments: ['SETTING'],
    summary: 'print the value of a setting, as `config set` takes it',
    options: ['repository'],
    examples: ['shardctl config get replication', 'shardctl config get keep --repository debian'],
  },
  {
    words: 'config set',
    arguments: ['SETTING', 'VALUE'],
    brief: 'set what the home, or a repository, asks for',
    summary: 'set what the home, or a repository, asks for; docs/config.md explains each setting',
    options: ['repository', 'lock-wait'],
    examples: ['shardctl config set replication 2', 'shardctl config set keep daily=7,weekly=4 --repository debian'],
  },
  {
    words: 'config unset',
    arguments: ['SETTING'],
    brief: "the home back to the default, a repository to the home's",
    summary: 'set the home back to the default, or a repository to what the home asks for',
    options: ['repository', 'lock-wait'],
    examples: ['shardctl config unset replication', 'shardctl config unset keep --repository debian'],
  },
  {
    words: 'config',
    arguments: ['[SETTING]', '[VALUE]'],
    brief: 'show or set in one word; --restore mends damaged settings',
    summary: 'show settings, or, with a VALUE, set one: the short of `config ls` and `config set`; --restore mends damaged settings',
    options: ['repository', 'unset', 'restore', 'lock-wait'],
    examples: [
      'shardctl config replication 2',
      'shardctl config allocate-by tag:zone,freespace --repository debian',
      'shardctl config --restore',
    ],
  },
];
