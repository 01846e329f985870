/** A key of OpenPGP that signs packages and indexes, in a keyring of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { made } from './files.ts';

const USER = 'Mirror of a test <mirror@example.org>';

export class Signer {
  readonly home: string;

  /** @param dir short: the socket of gpg's agent lies in it */
  static create(dir: string): Signer {
    const signer = new Signer(dir);
    mkdirSync(dir, { mode: 0o700 });
    signer.#gpg(['--quick-generate-key', USER, 'rsa2048', 'sign', 'never']);
    return signer;
  }

  private constructor(home: string) {
    this.home = home;
  }

  /** Writes the public key as binary or as text, and gives where. */
  key(as: 'gpg' | 'asc'): string {
    const path = join(this.home, `mirror.${as}`);
    writeFileSync(path, this.#gpg([...(as === 'asc' ? ['--armor'] : []), '--export']));
    return path;
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
