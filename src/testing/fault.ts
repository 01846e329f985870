/**
 * Preloaded into a child (`node --import`): makes the Nth file operation fail, or kills the process before it.
 * `SHARDCTL_FAULT=kill:N` or `SHARDCTL_FAULT=ENOSPC:N`. Only operations that write are counted: the source is only read.
 */
import { arm, type FaultKind, install } from './faults.ts';

const [kind = '', nth = ''] = (process.env.SHARDCTL_FAULT ?? '').split(':');
await install();
arm(kind as FaultKind, Number(nth));
