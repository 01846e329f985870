/** Run by the crash tests in a process of its own: adds the directory `argv[3]` to the home `argv[2]`. */
import { ShardctlError } from '../core/errors.ts';
import { TestHome } from './run.ts';

const [, , home = '', source = ''] = process.argv;
try {
  await TestHome.at(home, ['one', 'two']).add(source, { shardBytes: 48 * 1024, replication: { min: 2, max: 2 } });
} catch (error) {
  // What a user would see as a clear error is one; anything else is a bug, and ends with a stack.
  if (!(error instanceof ShardctlError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 43;
}
