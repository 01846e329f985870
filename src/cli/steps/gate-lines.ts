/** What `status` says of the gate. */
import { displayPath, displayText, shellWord } from '../../core/display.ts';
import { mayBeReadNow } from '../../update/unread-shard.ts';
import { counted } from '../reporter/text.ts';
import type { Result } from '../results/results.ts';
import type { Session } from '../session/session.ts';

type Repository = Pick<Extract<Result, { type: 'repository' }>, 'name' | 'head' | 'newest'>;

/** What the gate holds back of newer snapshots than the heads, with the first reason; and heads that it could not judge. */
export function gateLines(repositories: readonly Repository[], session: Pick<Session, 'index' | 'peers'>): string[] {
  return repositories.flatMap((repository) => [...heldLines(repository, session), ...unjudgedLines(repository, session)]);
}

function heldLines({ name, newest }: Repository, { index }: Pick<Session, 'index'>): string[] {
  if (newest?.contradictions === undefined) return [];
  const ref = `${name}@${newest.number}`;
  const found = counted(newest.contradictions, 'contradiction');
  const [first] = index.snapshot(name, newest.number)?.gate?.contradictions ?? [];
  const why = first === undefined ? '' : ` (${first.path === '' ? '' : `${displayPath(first.path)}: `}${displayText(first.detail)})`;
  return [`held back by the gate: ${ref}, with ${found}${why}; \`shardctl accept ${shellWord(ref)}\` makes it the head`];
}

function unjudgedLines({ name, head }: Repository, session: Pick<Session, 'index' | 'peers'>): string[] {
  const snapshot = session.index.snapshot(name, head?.number ?? 0);
  if (snapshot?.gate?.outcome !== 'unjudged') return [];
  const now = mayBeReadNow(session, snapshot)
    ? `it may be read now: \`shardctl update ${shellWord(name)}\` judges it`
    : 'nothing can be read from its peers, as they are set up';
  return [`not judged by the gate: ${name}@${snapshot.number}; ${now}`];
}
