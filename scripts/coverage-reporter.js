/**
 * A reporter for `node --test --experimental-test-coverage`: how much of each room the tests run through, and what failed.
 * Of what is built without source maps, with which Node 20 fails; src/testing and src/trials are left out.
 */
import { relative, sep } from 'node:path';

const percent = (covered, total) => (total === 0 ? '–' : `${((100 * covered) / total).toFixed(1)} %`).padStart(9);

export default async function* coverage(source) {
  const rooms = new Map();
  for await (const { type, data } of source) {
    if (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed') yield `failed: ${data.file}: ${data.name}\n`;
    if (type === 'test:diagnostic' && /^(tests|pass|fail|skipped) /.test(data.message)) yield `${data.message}\n`;
    if (type !== 'test:coverage') continue;
    for (const file of data.summary.files) {
      const [, src, room, ...rest] = relative(data.summary.workingDirectory, file.path).split(sep);
      if (src !== 'src' || rest.length === 0 || room === 'testing' || room === 'trials' || file.path.endsWith('.test.js')) continue;
      for (const name of [room, 'all']) {
        const sum = rooms.get(name) ?? { lines: 0, coveredLines: 0, branches: 0, coveredBranches: 0 };
        sum.lines += file.totalLineCount;
        sum.coveredLines += file.coveredLineCount;
        sum.branches += file.totalBranchCount;
        sum.coveredBranches += file.coveredBranchCount;
        rooms.set(name, sum);
      }
    }
  }
  yield `room           lines  branches\n`;
  for (const [room, { lines, coveredLines, branches, coveredBranches }] of [...rooms].sort()) {
    yield `${room.padEnd(11)}${percent(coveredLines, lines)} ${percent(coveredBranches, branches)}\n`;
  }
}
