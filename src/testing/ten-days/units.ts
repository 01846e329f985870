/** The units of `docs/systemd`, as systemd reads them. A unit that fails is a mail: what it prints goes to the journal. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Job, type Places, placed } from './job.ts';

const UNITS = fileURLToPath(new URL('../../../../docs/systemd', import.meta.url));

/** What says how a unit is run. `User` is the user of the machine. */
const RUN = new Set(['Type', 'User', 'Environment', 'ExecStart', 'SuccessExitStatus', 'OnCalendar', 'RandomizedDelaySec', 'ListenStream']);
/** What does not change what is tried here: documentation, order, priority, limits, how it is stopped, and settings that this machine has not. */
const LEFT =
  /^(Description|Documentation|EnvironmentFile|Wants|After|Requires|WantedBy|Persistent|Nice|IOSchedulingClass|Kill\w+|TimeoutStopSec|Exec(Reload)|Restart|LimitNOFILE|NoDelay|Backlog|Protect\w+|ReadWritePaths|Private\w+|NoNewPrivileges|Restrict\w+|LockPersonality|CapabilityBoundingSet|SystemCallArchitectures|UMask)$/;

type Settings = ReadonlyMap<string, readonly string[]>;

/** The service that a timer starts. @param timer for example `shardctl-update@.timer` @param instance what `%i` is */
export function timed(timer: string, instance: string, places: Places, random: () => number): Job {
  const when = settingsOf(timer);
  const service = timer.replace(/\.timer$/, '.service');
  const settings = settingsOf(service);
  const successes = [0, ...only(settings, 'SuccessExitStatus', '').split(' ').filter(Boolean).map(Number)];
  const most = minutesIn(only(when, 'RandomizedDelaySec', '0min'));
  const calendar = only(when, 'OnCalendar');
  if (calendar !== 'hourly' && calendar !== 'daily') throw new Error(`this reader of timers knows hourly and daily alone: ${calendar}`);
  return {
    name: instance === '' ? service.replace(/^shardctl-|\.service$/g, '') : instance,
    ...commandOf(settings, instance, places),
    minuteIn: (hour) => (calendar === 'daily' && hour !== 0 ? undefined : Math.floor(random() * Math.min(most, 60))),
    mails: ({ code }) => !successes.includes(code),
  };
}

/** A service that its socket starts. */
export function listening(service: string, places: Places): Pick<Job, 'argv' | 'environment'> {
  if (!settingsOf(service.replace(/\.service$/, '.socket')).has('ListenStream')) throw new Error(`${service} has no socket`);
  return commandOf(settingsOf(service), '', places);
}

/** The commands that a unit's comment tells the operator to type once. */
export function toldIn(unit: string): string[] {
  return [...readFileSync(join(UNITS, unit), 'utf8').matchAll(/^#\s+(shardctl .*)$/gm)].map(([, command = '']) => command);
}

function commandOf(settings: Settings, instance: string, places: Places): Pick<Job, 'argv' | 'environment'> {
  const given = (text: string) => placed(text.replaceAll('%i', instance), places);
  const environment = (settings.get('Environment') ?? []).map((line) => given(line).split('='));
  const argv = given(only(settings, 'ExecStart')).split(/\s+/);
  // systemd runs no shell, and these are not plain words to it.
  const odd = argv.find((word) => /["'$;%\\]/.test(word));
  if (odd !== undefined || !argv[0]?.startsWith('/')) throw new Error(`not a plain command: ${argv.join(' ')}`);
  return { argv, environment: Object.fromEntries(environment) as Record<string, string> };
}

function settingsOf(unit: string): Settings {
  const settings = new Map<string, string[]>();
  for (const line of readFileSync(join(UNITS, unit), 'utf8').split('\n')) {
    if (line === '' || /^[#;[]/.test(line)) continue;
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (!RUN.has(key) && !LEFT.test(key)) throw new Error(`${unit}: the trial does not know ${line}`);
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}

function only(settings: Settings, key: string, otherwise?: string): string {
  const [value = otherwise, ...others] = settings.get(key) ?? [];
  if (value === undefined || others.length > 0) throw new Error(`${key} is to be there once`);
  return value;
}

function minutesIn(text: string): number {
  const [, count, unit] = /^(\d+)(min|h)$/.exec(text) ?? [];
  if (count === undefined) throw new Error(`this reader of timers knows min and h alone: ${text}`);
  return Number(count) * (unit === 'h' ? 60 : 1);
}
