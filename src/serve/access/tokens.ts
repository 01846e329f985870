/**
 * The token file: which repositories are private, and which tokens open them. A line is `NAME TOKEN`, and makes the repository NAME
 * private, or `* TOKEN`, which opens every repository; a name may have several tokens, and a token may open several names. Where no line
 * has a name, every repository is private. Empty lines and those that begin with `#` say nothing.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';

/** Permission bits of those who are neither the owner nor in the group. */
const OTHERS = 0o007;
const EVERYTHING = '*';
/** What clients can send: the characters that RFC 6750 allows. Others would be encoded by each client in its own way. */
const TOKEN = /^[\w.~+/-]+=*$/;
const LEAST_TOKEN = 16;

/** What a request may read beside what is public: the names that its token opens. */
export interface Rights {
  /** Every repository is open to it. */
  readonly opensAll: boolean;
  readonly names: ReadonlySet<string>;
}

const ANONYMOUS: Rights = { opensAll: false, names: new Set() };

export class Tokens {
  /** Tokens are compared as these codes, whose key nobody knows: how long a comparison takes tells nothing of a token. */
  readonly #key = randomBytes(32);
  readonly #rights = new Map<string, { opensAll: boolean; names: Set<string> }>();
  readonly #names = new Set<string>();

  /** @param text of a token file @param where it comes from, for messages @throws ShardctlError `BAD_CONFIG` */
  static of(text: string, where: string): Tokens {
    const tokens = new Tokens();
    for (const [index, line] of text.split('\n').entries()) {
      const words = line.trim();
      if (words === '' || words.startsWith('#')) continue;
      // A name may have blanks in it, a token never.
      const [, name, token = ''] = /^(.*\S)\s+(\S+)$/.exec(words) ?? [];
      if (name === undefined || !TOKEN.test(token) || token.length < LEAST_TOKEN) {
        throw new ShardctlError(
          'BAD_CONFIG',
          `${where}:${index + 1} is not NAME TOKEN with a token of ${LEAST_TOKEN} or more letters and digits`,
          {
            hint: '`openssl rand -hex 20` makes one',
          },
        );
      }
      tokens.#add(name, token);
    }
    if (tokens.isEmpty) throw new ShardctlError('BAD_CONFIG', `${where} has no token`, { hint: 'write a line NAME TOKEN into it' });
    return tokens;
  }

  /** Where there is no token file. */
  static readonly NONE = new Tokens();

  get isEmpty(): boolean {
    return this.#rights.size === 0;
  }

  /** Repositories that the file names. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  isPrivate(name: string): boolean {
    return this.#names.has(name) || (this.#names.size === 0 && !this.isEmpty);
  }

  /** What the token in this `Authorization` opens: it is sent as bearer, or as the password of any user, or as the user without a password. */
  rightsOf(authorization: string | undefined): Rights {
    if (authorization === undefined || this.isEmpty) return ANONYMOUS;
    const token = tokenIn(authorization);
    return (token === undefined ? undefined : this.#rights.get(this.#codeOf(token))) ?? ANONYMOUS;
  }

  #add(name: string, token: string): void {
    const code = this.#codeOf(token);
    const rights = this.#rights.get(code) ?? { opensAll: false, names: new Set() };
    this.#rights.set(code, rights);
    if (name === EVERYTHING) rights.opensAll = true;
    else {
      rights.names.add(name);
      this.#names.add(name);
    }
  }

  #codeOf(token: string): string {
    return createHmac('sha256', this.#key).update(token).digest('base64');
  }
}

/** @throws ShardctlError `BAD_CONFIG` when the file cannot be read, others may read it, or it is not as it should be */
export function readTokens(path: string): Tokens {
  const where = displayPath(toBytes(path));
  let text: string;
  let mode: number;
  try {
    const fd = openSync(path, 'r');
    try {
      mode = fstatSync(fd).mode;
      text = readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `cannot read the tokens in ${where}: ${reasonOf(error)}`, { cause: error });
  }
  if ((mode & OTHERS) !== 0) {
    throw new ShardctlError('BAD_CONFIG', `every user of this machine may read the tokens in ${where}`, { hint: `\`chmod o= ${where}\`` });
  }
  return Tokens.of(text, where);
}

function tokenIn(authorization: string): string | undefined {
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(\S+)$/i.exec(authorization.trimEnd()) ?? [];
  if (scheme.toLowerCase() !== 'basic') return credentials || undefined;
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(Buffer.from(credentials, 'base64').toString('utf8')) ?? [];
  return password || user || undefined;
}
