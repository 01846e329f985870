/** A number that the kernel is to get as it is. */
export class Refused extends Error {
  /** Below 0, as in the errors of node:fs. */
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = -errno;
  }
}
