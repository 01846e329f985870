/** What `recover` tells at its end: what came back, what it has taken over from notes, and what is for a person to say again. */
import { displayText, shellWord } from '../../core/display.ts';
import type { PeerConfig, PlacementConfig } from '../../home/config.ts';
import type { NotedRepository } from '../../home/note.ts';
import type { NotedSettings } from '../../home/note-text.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Index } from '../../index/index.ts';
import type { Recovered } from '../../maintain/recover/recover.ts';
import type { Args } from '../command-line/args.ts';
import type { CommandSpec } from '../command-line/command-spec.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { addCommand, type Notes, noted } from '../session/home-notes.ts';
import { commandsFor, commandsForOwn, takenOf } from '../session/noted-settings.ts';

/** What was found on peers. */
export interface Found {
  readonly recovered: readonly Recovered[];
  readonly notes: Notes;
  /** Peers that the home did not have. */
  readonly added: readonly PeerConfig[];
}

export interface Ending extends Found {
  readonly index: Index;
  /** The home had settings of its own, beside which those that were noted count for nothing. */
  readonly hadSettings: boolean;
  /** Of the home that is recovered, as it noted them; undefined where no note was found, or `hadSettings`. */
  readonly settings: NotedSettings | undefined;
  /** Those of them that the home has again. */
  readonly taken: readonly string[];
  readonly args: Args;
  readonly seconds: number;
}

export function recoveredLines({ recovered, notes, added, index, hadSettings, settings, taken, args, seconds }: Ending): string[] {
  const isSourceSaid = args.flag('source');
  return [
    ...recovered.flatMap(lines),
    `in ${formatSeconds(seconds)}`,
    ...recovered.flatMap((one) => settingsOf(index, one, notes, args.command)),
    ...recovered.flatMap((one) => howToGoOn(one, noted(notes, one.formerName, one.owners), isSourceSaid)),
    ...(!args.flag('from') || notes.size > 0
      ? []
      : ['tags, capacities and reserves of the peers are not known any more: `shardctl peers set` says them']),
    ...added.flatMap((peer) => (peer.kind === 'local' ? takenLine(`peer ${peer.name}`, limitsOf(peer)) : [])),
    ...takenLine('the home', taken),
    ...commandsFor(settings ?? {}, taken, args.command).map(asNoted('the home')),
    ...(hadSettings || settings !== undefined
      ? []
      : ['what was set for gate, keep and grace is on no peer: `shardctl config` sets it again']),
    'hooks, and tags of snapshots, are on no peer: hooks because no peer may say what this machine runs: `shardctl config` shows what is set',
  ];
}

function lines({ repository, snapshots, number, heldBack, tree, shards, blocks, bytes, missing }: Recovered): string[] {
  const size = `${counted(shards, 'shard')}, ${counted(blocks, 'block')}, ${formatSize(bytes)}`;
  const out = [`${repository}: recovered ${counted(snapshots, 'snapshot')}, ${size}`];
  // The root of what is held back is nobody's to publish.
  if (number > 0) out.push(`root ${tree}`);
  if (heldBack !== undefined) out.push(heldBackLine(repository, number, heldBack));
  if (missing.length > 0)
    out.push(`${counted(missing.length, 'shard')} missing: \`shardctl add\` the source again to store the blocks anew`);
  return out;
}

function heldBackLine(repository: string, head: number, heldBack: number): string {
  const name = shellWord(`${repository}@${heldBack}`);
  const stays = head === 0 ? 'there is no head' : `the head is ${repository}@${head}`;
  return `held back by the gate, as its home noted: ${repository}@${heldBack}; ${stays}; \`shardctl accept ${name}\` makes it the head all the same`;
}

/** What was taken over; what the gate and `check` were asked for, and fewer replicas than there are, is for a person to say again. */
function settingsOf(index: Index, { repository, formerName, owners }: Recovered, notes: Notes, command: CommandSpec): string[] {
  const [record, known] = [index.repository(repository), noted(notes, formerName, owners)];
  if (record === undefined || known === undefined) return [];
  return [...takenLine(repository, takenOf(record, known)), ...commandsForOwn(record, known, command).map(asNoted(repository))];
}

/** Each value that was taken over is said, because the note may be somebody else's. */
function takenLine(what: string, taken: readonly string[]): string[] {
  return taken.length === 0 ? [] : [`${what} has again, as its home noted: ${displayText(taken.join(', '))}`];
}

function limitsOf({ tags, capacity, reserve, weight, drained }: PlacementConfig): string[] {
  return [
    ...Object.entries(tags).map(([key, value]) => `${key}=${value}`),
    ...(capacity === undefined ? [] : [`capacity ${formatSize(capacity)}`]),
    ...(reserve === undefined ? [] : [`reserve ${formatSize(reserve)}`]),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
    ...(drained === true ? ['drained'] : []),
  ];
}

function asNoted(what: string): (command: string) => string {
  return (command) => `${what} was set to, as its home noted: \`${command}\``;
}

/** Where the files are, and which of them are meant, is for a person to say: the note may be somebody else's. */
function howToGoOn({ repository }: Recovered, known: NotedRepository | undefined, isSourceSaid: boolean): string[] {
  // A home that was recovered itself, and was not told since, has noted none.
  if (known !== undefined && known.source.length > 0)
    return [`${repository} goes on with, as its home noted: \`${addCommand(repository, known)}\``];
  const filters = `its filters are not known any more`;
  if (isSourceSaid) return [`${repository}: ${filters}`];
  return [
    `${repository}: ${filters}, nor where it came from: \`shardctl add DIR --name ${shellWord(repository)}\` says it and reads every file once`,
  ];
}
