/** `shardctl verify --against KINDS [REF…]`: whether the indexes of what is stored agree with its files, as the peers give them. */
import { displayPath } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { type SnapshotRecord, snapshotName } from '../../core/model.ts';
import type { Verdict } from '../../core/verdict.ts';
import { parseCid } from '../../dag/cid.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { treeToJudge } from '../../read/tree/stored-tree.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import type { Context } from '../command-line/context.ts';
import { gateOptions, parseGateKinds } from '../command-line/gate-options.ts';
import { resolveRef } from '../command-line/ref.ts';
import { counted, lackingText } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { reading } from '../session/session.ts';
import { gateFor } from '../steps/gate-order.ts';

/** @param text the kinds, as the option has them. Without a REF the heads are judged. */
export async function verifyAgainst(context: Context, text: string): Promise<number> {
  const { absolute, args, reporter, signal } = context;
  const kinds = text === 'auto' ? text : parseGateKinds(text, '--against', args.command, 'auto or a list of ');
  const { gateKeyrings = [] } = gateOptions(args, absolute);
  const judge = await gateFor({ kinds, action: 'warn', keyrings: gateKeyrings });
  return await reading(context, async ({ index, peers }) => {
    let isWhole = true;
    const snapshots = args.positionals.length === 0 ? headsOf(index) : args.positionals.map((ref) => resolveRef(ref, index).snapshot);
    const blocks = placedBlocks(index, chosenPeers(context, peers), { signal });
    try {
      for (const snapshot of snapshots) {
        const { repository, number, tree } = snapshot;
        const { leavesOut } = compileFilter(index.repository(repository)?.filters ?? []);
        const verdict = await judge(treeToJudge({ root: parseCid(tree), passed: undefined, blocks, signal, leavesOut }), signal);
        const { count, contradictions, read, leftOut } = verdict;
        const lacking = verdict.lacking.map(({ program }) => program);
        isWhole &&= count === 0;
        for (const { kind, what, index: by, path, detail } of contradictions) {
          const paths = { index: displayPath(by), path: displayPath(path) };
          reporter.event({ type: 'contradiction', repository, number, kind, what, ...paths, detail });
        }
        if (context.quiet && !context.json) continue;
        answer(context, [{ type: 'judged', repository, number, kinds: verdict.kinds, count, leftOut, lacking, ...read }], () => [
          `${snapshotName(snapshot)}: ${judgedText(verdict)}${lackingText(lacking)}`,
        ]);
      }
    } finally {
      await blocks.close();
    }
    return isWhole ? EXIT.done : EXIT.held;
  });
}

function judgedText({ count, read, leftOut }: Verdict): string {
  if (read.indexes === 0 && count === 0) return 'no index of packages';
  const found = count === 0 ? 'all there, and as they say' : counted(count, 'contradiction');
  const left = leftOut === 0 ? '' : `; ${counted(leftOut, 'file')} left out by the filters`;
  return `${counted(read.indexes, 'index')} read, ${counted(read.entries, 'file')} that they name: ${found}${left}`;
}

function headsOf(index: Index): SnapshotRecord[] {
  return index.repositories().flatMap(({ name, head }) => index.snapshot(name, head) ?? []);
}

/** Those that `--peer` names, of which the tree must be readable; else all. @throws ShardctlError `NOT_FOUND` */
function chosenPeers({ args }: Context, peers: ReadonlyMap<string, Peer>): ReadonlyMap<string, Peer> {
  const names = args.all('peer').map(({ value }) => value);
  const stranger = names.find((name) => !peers.has(name));
  if (stranger !== undefined)
    throw new ShardctlError('NOT_FOUND', `there is no peer "${stranger}"`, { hint: '`shardctl peers ls` lists those that there are' });
  return names.length === 0 ? peers : new Map([...peers].filter(([name]) => names.includes(name)));
}
