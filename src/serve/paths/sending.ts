/** Sends answers: what `PathAnswer` says, and the bodies. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { dataOf } from '../../read/tree/file-data.ts';
import { readEntry } from '../../read/tree/tree.ts';
import type { FileHashes } from '../hashes/file-hashes.ts';
import { isOneLeaf } from '../hashes/hashing.ts';
import type { MirrorView } from '../mirror.ts';
import { type ListingBudget, rowsOf } from './listing.ts';
import { listingText } from './listing-page.ts';
import type { Body, PathAnswer } from './path-gateway.ts';
import { snapshotsText } from './snapshots-page.ts';

export interface Sending {
  readonly view: MirrorView;
  /** Called once, when nothing is read through the view any more. */
  readonly release: () => void;
  readonly budget: ListingBudget;
  readonly hashes: FileHashes;
}

export async function sendAnswer(reply: FastifyReply, answer: PathAnswer, sending: Sending): Promise<FastifyReply> {
  let source: Source | undefined;
  try {
    source = await sourceOf(answer.body, sending);
  } catch (error) {
    sending.release();
    throw error;
  }
  if (source === undefined) {
    sending.release();
    return sendPlain(reply, answer);
  }
  const { pieces, end } = source;
  const stream = Readable.from(pieces, { objectMode: false });
  // Also when the client has left before the first piece was asked for: a generator that never began has no end.
  stream.once('close', () => {
    sending.release();
    end();
  });
  return reply.code(answer.status).headers(answer.headers).send(stream);
}

/** An answer that needs no view. */
export function sendPlain(reply: FastifyReply, { status, headers, body }: PathAnswer): FastifyReply {
  const text = body.kind === 'text' ? body.text : body.kind === 'snapshots' ? snapshotsText(body.repository, body.form) : undefined;
  return reply.code(status).headers(headers).send(text);
}

interface Source {
  readonly pieces: AsyncIterable<string | Uint8Array>;
  end(): void;
}

async function sourceOf(body: Body, { view, budget, hashes }: Sending): Promise<Source | undefined> {
  if (body.kind === 'file') return { pieces: hashedAlong(body, bytesOf(body, view), hashes), end: () => {} };
  return body.kind === 'listing' ? await begun(body, budget) : undefined;
}

/** A listing whose first rows are there: a directory that cannot be read at all is answered with an error. */
async function begun({ listing }: Body & { kind: 'listing' }, budget: ListingBudget): Promise<Source> {
  const text = listingText(listing, rowsOf(listing.tree, listing.directory, budget));
  const first = await text.next();
  const pieces = async function* () {
    yield first.value ?? '';
    yield* text;
  };
  return { pieces: pieces(), end: () => void text.return() };
}

async function* bytesOf({ resource, range }: Body & { kind: 'file' }, { blocks }: MirrorView): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for await (const part of dataOf(await readEntry(resource.file, blocks), blocks)) {
    const [from, to] = [Math.max(0, range.from - at), Math.min(part.length, range.to - at)];
    at += part.length;
    if (from < to) yield part.subarray(from, to);
    if (at >= range.to) return;
  }
}

/** A file that is given out whole is hashed on the way, if somebody has ever asked for files by their hashes and this one is not known. */
function hashedAlong(
  { resource: { file, size }, range }: Body & { kind: 'file' },
  pieces: AsyncIterable<Uint8Array>,
  hashes: FileHashes,
): AsyncIterable<Uint8Array> {
  const isWhole = range.from === 0 && range.to === size;
  if (!isWhole || !hashes.isInUse || file.node === undefined || isOneLeaf(file.node) || hashes.isHashed(file.digest)) return pieces;
  return hashing(pieces, size, (hash) => hashes.add(hash, file.digest));
}

async function* hashing(
  pieces: AsyncIterable<Uint8Array>,
  size: number,
  done: (hash: Buffer) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
    // Before the last piece goes out: whoever has the file may ask for it by its hash at once.
    if (bytes === size) done(hash.digest());
    yield piece;
  }
}
