/** Signatures of `InRelease` and `Release`, checked by `gpgv` with the keyrings that were given, as apt does. */
import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, reasonOf, ShardctlError } from '../../core/errors.ts';
import { removeTreeSync } from '../../core/remove-file.ts';

const TIME_LIMIT_MS = 60_000;

export interface Signed {
  /** The clearsigned file, or the signature beside one. */
  readonly signature: Buffer;
  /** What a signature beside it signs; undefined for a clearsigned file. */
  readonly text: Buffer | undefined;
}

/** Whether a key of the keyrings has signed. @throws ShardctlError when there is no `gpgv`, or it cannot read a keyring */
export async function isSigned({ signature, text }: Signed, keyrings: readonly string[], signal: AbortSignal): Promise<boolean> {
  const scratch = await mkdtemp(join(tmpdir(), 'shardctl-gate-'));
  try {
    const files = [join(scratch, 'signature')];
    await writeFile(files[0] as string, signature);
    if (text !== undefined) {
      files.push(join(scratch, 'text'));
      await writeFile(files[1] as string, text);
    }
    const args = ['--homedir', scratch, '--status-fd', '1', ...keyrings.flatMap((keyring) => ['--keyring', keyring]), '--', ...files];
    return await answerOf(args, signal);
  } finally {
    removeTreeSync(scratch);
  }
}

function answerOf(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile('gpgv', args, { timeout: TIME_LIMIT_MS, signal }, (error, stdout) => {
      if (signal.aborted) reject(signal.reason);
      // Of a program that ran, `code` is its exit code.
      else if (errnoOf(error) === 'ENOENT' && typeof error?.code === 'string')
        reject(
          new ShardctlError('BAD_CONFIG', 'the gate cannot check signatures: there is no `gpgv` on this machine', {
            hint: 'install it (gpgv on Debian, gnupg2 on Fedora), or give no keyring',
          }),
        );
      else resolve(error === null && /^\[GNUPG:\] VALIDSIG /m.test(stdout));
    });
  });
}

/** gpgv goes on without a keyring that it cannot read, and then says that nothing is signed. */
export async function assertReadable(keyrings: readonly string[]): Promise<void> {
  for (const keyring of keyrings) {
    await access(keyring, constants.R_OK).catch((cause: unknown) => {
      const hint = 'name a keyring that gpgv can read, as /usr/share/keyrings has them';
      throw new ShardctlError('BAD_CONFIG', `the gate cannot read the keyring ${keyring}: ${reasonOf(cause)}`, { hint, cause });
    });
  }
}
