/**
 * How deep the tests go (docs/development.md): `npm run test:unit` leaves out the trials, files named `*.trial.test.ts`;
 * `npm test` takes a sample of what takes long, and `npm run test:all` (`SHARDCTL_TEST_DEPTH=all`) takes all of it.
 */
const isAll = process.env.SHARDCTL_TEST_DEPTH === 'all';

/** For the `skip` of a test, or of a group, that takes so long that only `npm run test:all` has it. @param otherwise why else it is skipped */
export function onlyInAll(otherwise: string | false = false): string | false {
  return isAll ? otherwise : 'takes long: `npm run test:all` has it';
}

/** How many rounds, cases, seconds, how large a step, or which of them: these in a sample, and those of everything. */
export function sampled<T>(sample: T, all: T): T {
  return isAll ? all : sample;
}

/** For the `skip` of a file's tests: a sample has the first of every `step` of them, in their order. */
export function oneIn(step: number): () => string | false {
  let asked = 0;
  return () => (asked++ % step === 0 ? false : onlyInAll());
}
