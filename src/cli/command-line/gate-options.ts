/** The options and settings of the gate: which kinds of mirror are judged, what is done with one that contradicts itself, and by which keys. */
import { existsSync } from 'node:fs';
import { GATE_ACTIONS, GATE_KINDS, type GateAction, type GateConfig, type GateKind, type OwnGate } from '../../core/verdict.ts';
import { type Args, usage } from './args.ts';
import type { CommandSpec } from './command-spec.ts';
import type { Absolute } from './surroundings.ts';

/** What the command line says of the gate: nothing that it does not. @throws ShardctlError `USAGE` */
export function gateOptions(args: Args, absolute: Absolute): OwnGate {
  const [gate, action] = [args.text('gate'), args.text('gate-action')];
  const keyrings = args.all('gate-keyring').map(({ value }) => absolute(value));
  for (const path of keyrings) if (!existsSync(path)) throw usage(`--gate-keyring ${path}: there is no such file`, args.command);
  return {
    ...(gate === undefined ? {} : { gate: parseGate(gate, '--gate', args.command) }),
    ...(action === undefined ? {} : { gateAction: parseGateAction(action, '--gate-action', args.command) }),
    ...(keyrings.length === 0 ? {} : { gateKeyrings: keyrings }),
  };
}

/** `auto`, `off`, or kinds with commas between them. @param what the option or the setting, for the message @throws ShardctlError `USAGE` */
export function parseGate(text: string, what: string, command: CommandSpec): GateConfig['gate'] {
  if (text === 'auto' || text === 'off') return text;
  return parseGateKinds(text, what, command, 'auto, off or a list of ');
}

/** @param also what else could have been said, for the message @throws ShardctlError `USAGE` */
export function parseGateKinds(text: string, what: string, command: CommandSpec, also = ''): readonly GateKind[] {
  const names = text.split(',').map((name) => name.trim());
  const kinds = GATE_KINDS.filter((kind) => names.includes(kind));
  if (names.every((name) => kinds.some((kind) => kind === name))) return kinds;
  throw usage(`${what} "${text}" is not ${also}${GATE_KINDS.join(', ')}`, command);
}

/** @throws ShardctlError `USAGE` */
export function parseGateAction(text: string, what: string, command: CommandSpec): GateAction {
  const action = GATE_ACTIONS.find((it) => it === text);
  if (action !== undefined) return action;
  throw usage(`${what} "${text}" is neither hold nor warn`, command);
}

/** Absolute paths with commas between them, or `none`, as `shardctl config` takes them. @throws ShardctlError `USAGE` */
export function parseKeyrings(text: string, command: CommandSpec): readonly string[] {
  if (text === 'none') return [];
  const paths = text.split(',');
  const odd = paths.find((path) => !path.startsWith('/'));
  if (odd === undefined) return paths;
  throw usage(`gate-keyring "${odd}" is no absolute path`, command);
}
