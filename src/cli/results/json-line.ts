/** All that a run prints with `--json`, or writes into a log file of JSON, a line each: docs/json.md. docs/json.schema.json is made of these types by scripts/json-schema. */
import type { Event } from '../../core/events.ts';
import type { RunLine } from '../reporter/logged.ts';
import type { ExitLine } from '../reporter/reporter.ts';
import type { Result } from './results.ts';

export type JsonLine = Event | Result | RunLine | ExitLine;
