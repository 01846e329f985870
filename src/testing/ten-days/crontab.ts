/** The crontab of `docs/operations.md`, as cron reads it: a line is run by /bin/sh, and whatever it prints is a mail. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Job, type Places, placed } from './job.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/operations.md', import.meta.url));
const LINE = /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S.*)$/;

/** The lines of the section "From cron", with the line above them that the page tells of. */
export function crontab(places: Places): Job[] {
  const [, section = ''] = /^## From cron\n(.*?)^## /ms.exec(readFileSync(PAGE, 'utf8')) ?? [];
  const [, lines = ''] = /^```\n(.*?)^```/ms.exec(section) ?? [];
  const [, above = ''] = /Put `(\w+=\S+)` on a line above/.exec(section) ?? [];
  const environment: Record<string, string> = {};
  const jobs: Job[] = [];
  for (const line of [above, ...lines.split('\n')]) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name, value = ''] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined) environment[name] = placed(value, places);
    else jobs.push(jobOf(line, environment, places));
  }
  if (jobs.length === 0) throw new Error('docs/operations.md has no crontab');
  return jobs;
}

function jobOf(line: string, environment: Readonly<Record<string, string>>, places: Places): Job {
  const [, minute = '', hour = '', dayOfMonth, month, dayOfWeek, command = ''] = LINE.exec(line) ?? [];
  if (`${dayOfMonth}${month}${dayOfWeek}` !== '***') throw new Error(`this reader of crontabs knows hours and minutes alone: ${line}`);
  // In a command cron makes a line break of each %.
  if (command.includes('%')) throw new Error(`cron ends the command at %: ${line}`);
  const [hours, minutes] = [timesIn(hour, 24), timesIn(minute, 60)];
  return {
    name: /\w+ ([\w-]+)/.exec(command)?.[1] ?? command,
    argv: ['/bin/sh', '-c', placed(command, places)],
    environment: { ...environment, SHELL: '/bin/sh' },
    minuteIn: (at) => (hours.includes(at) ? minutes[0] : undefined),
    mails: ({ output }) => output !== '',
  };
}

/** The numbers that a field means. */
function timesIn(field: string, end: number): number[] {
  return field.split(',').flatMap((part) => {
    const [, first, last = first, step = '1'] = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(part) ?? [];
    if (first === undefined) throw new Error(`no field of a crontab: ${field}`);
    const [from, to] = first === '*' ? [0, end - 1] : [Number(first), Number(last)];
    return Array.from({ length: end }, (_, at) => at).filter((at) => at >= from && at <= to && (at - from) % Number(step) === 0);
  });
}
