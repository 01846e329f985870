/**
 * Which bytes between wanted blocks are read over, and for which ones a gateway is asked anew behind them. Each new request waits for the
 * gateway once, and what nobody wants is paid for by the byte: so the longest gaps are left out, and no more of them than it takes.
 */
import { MOST_GAP_BYTES } from './run-cursor.ts';

/** Of the bytes that are wanted, this part may come in vain. */
const IN_VAIN = 1 / 20;
/** Gaps that are left out for that: with 20 ms there and back, they cost 1.3 s. */
const MOST_LEFT_OUT = 64;
/** A shorter gap is read over in any case: a request and the head of its answer are 1.5 KB, and a fast line sends this in a millisecond. */
const LEAST_GAP_BYTES = 16 * 1024;

/**
 * The blocks for which a new request is made, rather than reading over what lies before them.
 * @param offsets of the wanted blocks in the stream, in ascending order @param lengths of these blocks
 */
export function askedAnew(offsets: ArrayLike<number>, lengths: ArrayLike<number>): ReadonlySet<number> {
  const anew = new Set<number>();
  const gaps: { readonly before: number; readonly bytes: number }[] = [];
  let inVain = 0;
  let wanted = lengths[0] ?? 0;
  for (let block = 1; block < lengths.length; block++) {
    const bytes = (offsets[block] as number) - (offsets[block - 1] as number) - (lengths[block - 1] as number);
    wanted += lengths[block] as number;
    if (bytes > MOST_GAP_BYTES) anew.add(block);
    else {
      inVain += bytes;
      if (bytes >= LEAST_GAP_BYTES) gaps.push({ before: block, bytes });
    }
  }
  gaps.sort((a, b) => b.bytes - a.bytes);
  for (const { before, bytes } of gaps.slice(0, MOST_LEFT_OUT)) {
    if (inVain <= wanted * IN_VAIN) break;
    inVain -= bytes;
    anew.add(before);
  }
  return anew;
}
