/** What the trials ask of a package tool: a mirror of packages for it, and a place where it installs them. */
import type { PackageTrial } from './package-trial.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * A directory as mirrors of this kind have it. It holds `hello` and, where packages depend on others, `hello-data` of the very same
 * version, which `hello` needs: whoever sees half of an update cannot install it.
 */
export interface PackageMirror {
  readonly dir: string;
  /** Makes this version the newest one. */
  publish(version: string): void;
  /** Ends what it has started. */
  close?(): void;
}

export interface MirrorPlace {
  /** A path in a scratch directory, for the mirror and for what it is made with. */
  readonly scratch: (name: string) => string;
  /** Where it will be served, without a slash at its end. */
  readonly url: string;
  /** For those only who have a token. */
  readonly isPrivate: boolean;
}

export interface PackageTool {
  /** Its section on the page, and its name in `SHARDCTL_TEST_REQUIRE`. */
  readonly name: string;
  /** As the page calls the repository. */
  readonly repository: string;
  /** For the `skip` of a test. */
  readonly isMissing: string | false;
  mirror(place: MirrorPlace): PackageMirror;
  /** An empty system, environment or project. @param meaning of what the page writes */
  sandbox(trial: PackageTrial, meaning?: Readonly<Record<string, string>>): Promise<Sandbox>;
  /** What the installed package says: `hello` and the version. */
  installed(sandbox: Sandbox): Promise<string>;
  /** Commands that read the indexes, and those that fetch what these name; none where one command does both. */
  readonly halves?: { readonly index: string; readonly packages: string };
  /** Commands that forget everything and install the newest. */
  readonly again: string;
  /** Commands that fetch the newest and print `hello` and its version: shorter than `again`, for what is done often. */
  readonly often?: string;
  /** How often it does `often`, or else `again`, beside updates. */
  readonly rounds: number;
}
