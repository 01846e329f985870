/** For tests: a home that is served and never changes, and how many requests use its view. */
import type { Mirror, MirrorView } from '../serve/mirror.ts';

export function countedMirror(view: MirrorView): { readonly mirror: Mirror; readonly held: () => number } {
  let held = 0;
  const mirror: Mirror = {
    newest: view,
    acquire: () => {
      held++;
      return view;
    },
    release: () => void held--,
    onChange: () => () => {},
  };
  return { mirror, held: () => held };
}
