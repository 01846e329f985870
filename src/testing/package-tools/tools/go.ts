/** The go command, with a home and a module of its own. */
import { GoMirror } from '../../package-mirrors/go.ts';
import type { PackageTool } from '../package-tool.ts';
import { without } from '../required.ts';

export const go: PackageTool = {
  name: 'go',
  repository: 'go',
  isMissing: without('go', 'go'),
  mirror: ({ scratch }) => new GoMirror(scratch('go')),
  sandbox: async (trial, meaning) => {
    // Without -modcacherw it writes directories that cannot be removed.
    const env = { GOFLAGS: '-mod=mod -modcacherw', GOTOOLCHAIN: 'local' };
    const sandbox = trial.sandbox(meaning, () => env);
    sandbox.write('go.mod', 'module example.org/app\n\ngo 1.21\n');
    return sandbox;
  },
  /** What the sources say that were downloaded. */
  installed: async (sandbox) => {
    const dir = `$(go list -m -f '{{.Dir}}' example.org/hello-data)`;
    return (await sandbox.sh(`sed -n 's/^const Text = "\\(.*\\)"$/\\1/p' "${dir}/text.go"`)).trim();
  },
  halves: { index: 'go mod edit -require example.org/Example/hello@v1.0.0 && go list -m all', packages: 'go mod download all' },
  again: 'go clean -modcache && go get example.org/Example/hello@latest && go mod download all',
  rounds: 5,
};
