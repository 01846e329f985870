/** Run by the crash tests in a process of its own: adds the directory `argv[3]` to the home `argv[2]`, through a gate where `argv[4]` is `gate`; or accepts the snapshot of number `argv[4]`. */
import { ShardctlError } from '../core/errors.ts';
import { acceptIn, FakeGate } from './fake-gate.ts';
import { TestHome } from './run.ts';

const [, , home = '', source = '', how = ''] = process.argv;
try {
  const at = TestHome.at(home, ['one', 'two']);
  const gate = how === 'gate' ? { gate: new FakeGate().order() } : {};
  if (/^\d+$/.test(how)) await acceptIn(at, Number(how));
  else await at.add(source, { shardBytes: 48 * 1024, replication: { min: 2, max: 2 }, ...gate });
} catch (error) {
  // What a user would see as a clear error is one; anything else is a bug, and ends with a stack.
  if (!(error instanceof ShardctlError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 43;
}
