/** `shardctl tag REF TAG…`: names for snapshots, beside their numbers and dates. */
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord, Tags } from '../../core/model.ts';
import { requireHome } from '../../home/home.ts';
import { checkTag, tagsWithout } from '../../snapshot/tag.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { resolveRef } from '../command-line/ref.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { answer, type Result } from '../results/results.ts';
import { reading, sharing } from '../session/session.ts';

type TagResult = Extract<Result, { type: 'tag' }>;

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const ref = args.argument(0);
  const tags = args.positionals.slice(1).map(checkTag);
  const [isRemoving, isMoving] = [args.flag('remove'), args.flag('move')];
  if (isRemoving && isMoving) throw usage('--remove and --move do not go together', args.command);
  if (tags.length === 0 && (isRemoving || isMoving)) throw usage('which tags? name them', args.command);
  requireHome(home);
  if (tags.length === 0) return await list(context, ref);
  return await sharing(context, async ({ index, withRepository }) => {
    const { snapshot: found, path } = resolveRef(ref, index);
    if (path !== '') throw usage(`a tag names a whole snapshot, not "${ref}"`, args.command);
    await withRepository(found.repository, async () => {
      const { snapshot } = resolveRef(ref, index);
      const repository = repositoryNamed(index.repositories(), snapshot.repository);
      const changed = isRemoving ? without(repository, tags) : withTags(repository, tags, snapshot.number, isMoving);
      const { tags: _, ...untagged } = repository;
      await index.saveRepository(changed === undefined ? untagged : { ...untagged, tags: changed });
      const number = isRemoving ? null : snapshot.number;
      tell(
        context,
        tags.map((tag) => ({ type: 'tag', repository: repository.name, tag, number })),
      );
    });
    return EXIT.done;
  });
}

async function list(context: Context, name: string): Promise<number> {
  return await reading(context, async ({ index }) => {
    const { name: repository, tags = {} } = repositoryNamed(index.repositories(), name);
    const results = Object.keys(tags)
      .sort()
      .map((tag): TagResult => ({ type: 'tag', repository, tag, number: tags[tag] ?? null }));
    answer(context, results, () => results.map(line));
    return EXIT.done;
  });
}

/** @throws ShardctlError `NOT_FOUND` when the repository has no such tag */
function without({ name, tags }: RepositoryRecord, gone: readonly string[]): Tags | undefined {
  const stranger = gone.find((tag) => !Object.hasOwn(tags ?? {}, tag));
  if (stranger === undefined) return tagsWithout(tags, (tag) => gone.includes(tag));
  throw new ShardctlError('NOT_FOUND', `${name} has no tag ${stranger}`, {
    hint: `\`shardctl tag ${shellWord(name)}\` lists those that it has`,
  });
}

/** @throws ShardctlError `USAGE` when another snapshot has one of the tags, and they are not to move */
function withTags({ name, tags = {} }: RepositoryRecord, given: readonly string[], number: number, isMoving: boolean): Tags {
  const taken = given.find((tag) => Object.hasOwn(tags, tag) && tags[tag] !== number);
  if (taken !== undefined && !isMoving) {
    throw new ShardctlError('USAGE', `${name}@${tags[taken]} has the tag ${taken} already`, {
      hint: `\`shardctl tag ${shellWord(`${name}@${number}`)} ${taken} --move\` gives it to ${name}@${number}`,
    });
  }
  return { ...tags, ...Object.fromEntries(given.map((tag) => [tag, number])) };
}

function tell(context: Context, results: readonly TagResult[]): void {
  if (!context.quiet || context.json) answer(context, results, () => results.map(line));
}

function line({ repository, tag, number }: TagResult): string {
  return number === null ? `the tag ${repository}@${tag} is removed` : `${repository}@${tag} is ${repository}@${number}`;
}
