/** All that a run prints with `--json`, a line each: docs/json.md. docs/json.schema.json is made of these types by scripts/json-schema. */
import type { Event } from '../../core/events.ts';
import type { Exit } from '../reporter/reporter.ts';
import type { Result } from './results.ts';

/** Raised when a program that reads the lines of today would misread those of tomorrow. */
export const JSON_VERSION = 1;

/** The last line of each run, however it ends. */
export type ExitLine = { readonly type: 'exit' } & Exit & { readonly v: typeof JSON_VERSION };

export type JsonLine = Event | Result | ExitLine;
