/** A key of OpenPGP that signs packages and indexes, in a keyring of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { made } from './files.ts';

const USER = 'Mirror of a test <mirror@example.org>';

export class Signer {
  readonly home: string;

  /** @param dir short: the socket of gpg's agent lies in it. `mirror.gpg` and `mirror.asc` there are the public key. */
  static create(dir: string): Signer {
    const signer = new Signer(dir);
    mkdirSync(dir, { mode: 0o700 });
    signer.#gpg(['--quick-generate-key', USER, 'rsa2048', 'sign', 'never']);
    writeFileSync(join(dir, 'mirror.gpg'), signer.#gpg(['--export']));
    writeFileSync(join(dir, 'mirror.asc'), signer.#gpg(['--armor', '--export']));
    return signer;
  }

  private constructor(home: string) {
    this.home = home;
  }

  /** The text with its signature around it. */
  clearsign(text: string): Buffer {
    return this.#gpg(['--digest-algo', 'sha256', '--clearsign'], text);
  }

  /** The signature alone, as text. */
  detached(content: string | Uint8Array): Buffer {
    return this.#gpg(['--digest-algo', 'sha256', '--armor', '--detach-sign'], content);
  }

  signRpm(...paths: string[]): void {
    made('rpmsign', ['--define', `_gpg_name ${USER}`, '--define', '__gpg /usr/bin/gpg', '--addsign', ...paths], {
      env: { GNUPGHOME: this.home },
    });
  }

  /** Ends the agent that gpg has started. */
  close(): void {
    made('gpgconf', ['--kill', 'all'], { env: { GNUPGHOME: this.home } });
  }

  #gpg(args: readonly string[], input?: string | Uint8Array): Buffer {
    const common = ['--batch', '--quiet', '--no-tty', '--passphrase', '', '--pinentry-mode', 'loopback'];
    return made('gpg', [...common, ...args], { env: { GNUPGHOME: this.home }, ...(input === undefined ? {} : { input }) });
  }
}
