/** What a hook gets on its stdin: docs/hooks.md and docs/hooks.schema.json say what the fields mean. New fields may come; those that are here stay. */

export const MESSAGE_VERSION = 1;

interface Message {
  readonly version: typeof MESSAGE_VERSION;
  /** One line for people. */
  readonly text: string;
  /** Of the machine, and of the home there. */
  readonly host: string;
  readonly home: string;
  /** What was run, without options. */
  readonly command: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface CommitMessage extends Message {
  readonly hook: 'commit';
  readonly repository: string;
  /** Of the snapshot that is the head now. */
  readonly number: number;
  /** CIDs: of the tree, and of the snapshot. */
  readonly tree: string;
  readonly snapshot: string;
  readonly files: number;
  readonly bytes: number;
  /** Absent when this run has not counted them: an earlier one has made the snapshot, or it came whole (`import-car`, `recover`). */
  readonly changedEntries?: number;
  readonly newBytes?: number;
}

export interface ProblemMessage extends Message {
  readonly hook: 'problem';
  /** How the run ended: see the table in docs/architecture.md. */
  readonly exitCode: number;
  /** What ended it; absent when it has come to its end. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** Repositories that could not be brought up to date, or at which the run was. */
  readonly repositories: readonly string[];
  /** The first of what it has said, each a line. */
  readonly problems: readonly string[];
  /** How many more there were. */
  readonly more: number;
}
