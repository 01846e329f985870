/** What a run asks of the gate, and the judges that answer, which are loaded when there is a tree to judge. */
import { createHash } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Gate, GateOrder } from '../../core/gate.ts';
import type { ByteString } from '../../core/model.ts';
import { DEFAULT_GATE, GATE_VERSION, type GateSetting, type OwnGate } from '../../core/verdict.ts';

/**
 * @param own what the repository asks for @param home what the home does
 * @param filters of the repository: under others, a file that was left out may be missed @returns undefined where nothing is judged
 */
export function gateOrder(own: OwnGate, home: OwnGate, filters: readonly ByteString[]): GateOrder | undefined {
  const kinds = own.gate ?? home.gate ?? DEFAULT_GATE.gate;
  if (kinds === 'off') return undefined;
  const action = own.gateAction ?? home.gateAction ?? DEFAULT_GATE.gateAction;
  const setting: GateSetting = { kinds, action, keyrings: own.gateKeyrings ?? home.gateKeyrings ?? DEFAULT_GATE.gateKeyrings };
  return {
    action,
    by: JSON.stringify([GATE_VERSION, kinds, setting.keyrings.map(stampOf), ...(filters.length === 0 ? [] : [hashOf(filters)])]),
    judge: async (tree, signal) => (await gateFor(setting))(tree, signal),
    isByName: kinds !== 'auto',
    has: async (program) => isOnPath(program) && (await import('../../gate/text/by-program.ts')).canUnpack(program),
    indexNames: async () => (await import('../../gate/claims/index-files.ts')).INDEX_NAMES,
  };
}

function hashOf(filters: readonly ByteString[]): string {
  return createHash('sha256').update(filters.join('\n'), 'latin1').digest('hex');
}

/** A key that is added to a keyring may let through what was held back. */
function stampOf(path: string): readonly unknown[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  return [path, stat?.size, stat?.mtimeMs];
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The judges by this setting; loaded when there is a tree to judge. */
export async function gateFor(setting: GateSetting): Promise<Gate> {
  return (await import('../../gate/package-gate.ts')).packageGate(setting);
}
