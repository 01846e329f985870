/** Which package tools a machine has. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * For the `skip` of a test.
 * @param tool its name in `SHARDCTL_TEST_REQUIRE`: what is listed there may not be missing
 * @param commands all that the test needs
 */
export function without(tool: string, ...commands: string[]): string | false {
  return missing(
    tool,
    commands.find((command) => !isThere(command)),
  );
}

/** As `without`, of a tool that writes into a root of its own, and asks for the rights to do so. */
export function withoutAsRoot(tool: string, ...commands: string[]): string | false {
  return process.getuid?.() === 0 ? without(tool, ...commands) : missing(tool, 'user root');
}

/** As `without`. @param missing what is not there; undefined when nothing is missing */
export function missing(tool: string, missing: string | undefined): string | false {
  if (missing === undefined) return false;
  if ((process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes(tool))
    throw new Error(`${tool} is required, and ${missing} is not there`);
  return `no ${missing}`;
}

function isThere(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
