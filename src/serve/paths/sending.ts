/** Sends answers: what `PathAnswer` says, and the bodies. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { fileBytes } from '../../read/files/file-bytes.ts';
import type { FileBlocks } from '../../read/files/file-leaves.ts';
import { holdFiles } from '../../read/files/held-files.ts';
import { type FileAnswer, madeInTurn, type SendHooks, sendFile } from '../body/send.ts';
import { endWith, joined, readSmall, SMALL_BYTES } from '../body/small-body.ts';
import type { FileHashes } from '../hashes/file-hashes.ts';
import type { MirrorView } from '../mirror.ts';
import { leafOf } from './hot-answers.ts';
import { type ListingBudget, ReaderLeft, rowsOf } from './listing.ts';
import { listingText } from './listing-page.ts';
import type { Body, PathAnswer } from './path-gateway.ts';
import type { FileResource } from './resource.ts';
import { snapshotsText } from './snapshots-page.ts';

export interface Sending {
  readonly view: MirrorView;
  /** Those of its blocks that the request sees, where what is found does not say that it sees all of the file. */
  readonly seen?: FileBlocks;
  /** Called once, when nothing is read through the view any more. */
  readonly release: () => void;
  readonly budget: ListingBudget;
  readonly hashes: FileHashes;
  /** Called when the answer ended before its end, because a block could not be had. */
  readonly onCut: (error: unknown) => void;
  /** Called with the body of an answer that is a whole small file. */
  readonly onSmall?: (answer: PathAnswer, file: FileResource, body: Uint8Array) => void;
}

export async function sendAnswer(reply: FastifyReply, answer: PathAnswer, sending: Sending): Promise<FastifyReply> {
  if (answer.body.kind === 'file') return await sendFileAnswer(reply, answer, answer.body, sending);
  let source: Source | undefined;
  try {
    source = answer.body.kind === 'listing' ? await begun(answer.body, sending.budget, () => !reply.raw.destroyed) : undefined;
  } catch (error) {
    sending.release();
    if (!(error instanceof ReaderLeft)) throw error;
    reply.hijack();
    return reply;
  }
  if (source === undefined) {
    sending.release();
    return sendPlain(reply, answer);
  }
  const { pieces, end } = source;
  const stream = Readable.from(pieces, { objectMode: false });
  // Also when the client has left before the first piece was asked for: a generator that never began has no end.
  stream.once('close', () => void end().finally(sending.release));
  return reply.code(answer.status).headers(answer.headers).send(stream);
}

/** An answer that needs no view. */
export function sendPlain(reply: FastifyReply, { status, headers, body }: PathAnswer): FastifyReply {
  const text = body.kind === 'text' ? body.text : body.kind === 'snapshots' ? snapshotsText(body.repository, body.form) : undefined;
  return reply.code(status).headers(headers).send(text);
}

interface Source {
  readonly pieces: AsyncIterable<string | Uint8Array>;
  /** Resolves when nothing is read any more. */
  end(): Promise<unknown>;
}

async function sendFileAnswer(
  reply: FastifyReply,
  answer: PathAnswer,
  body: Body & { kind: 'file' },
  { view, seen = view.blocks, release, hashes, onCut, onSmall }: Sending,
): Promise<FastifyReply> {
  const { resource, range } = body;
  const { status, headers } = answer;
  const windows: Windows = (from, to, areCopied) => fileBytes(resource.file, from, to, seen, areCopied);
  const onBytes = hashingOf(body, hashes);
  try {
    const block = blockNow(resource, seen);
    if (block !== undefined) {
      if (status === 200) onSmall?.(answer, resource, block);
      reply.hijack();
      for (const name in headers) reply.raw.setHeader(name, headers[name] as string);
      reply.raw.writeHead(status);
      endWith(reply.request.raw, reply.raw, block.subarray(range.from, range.to));
      return reply;
    }
    if (range.to - range.from > SMALL_BYTES) {
      const hold = (from: number, to: number) => holdFiles(resource.file, from, to, seen);
      await sendFile(reply, { status, headers, ...range, windows, hold }, { onCut, onBytes });
      return reply;
    }
    const bytes = await madeInTurn(async () => await joined(windows(range.from, range.to, true), range.to - range.from));
    onBytes?.(bytes);
    if (status === 200) onSmall?.(answer, resource, bytes);
    return reply.code(status).headers(headers).send(bytes);
  } finally {
    release();
  }
}

/** The one block that is all of a small file, if it can be had at once. */
function blockNow({ file, size }: FileResource, blocks: Pick<FileBlocks, 'extentNow'>): Buffer | undefined {
  const leaf = size <= SMALL_BYTES ? leafOf(file) : undefined;
  const extent = leaf === undefined ? undefined : blocks.extentNow(leaf);
  return leaf === undefined || extent?.length !== size ? undefined : readSmall(extent, leaf);
}

/** A listing whose first rows are there: a directory that cannot be read at all is answered with an error. */
async function begun({ listing }: Body & { kind: 'listing' }, budget: ListingBudget, isWanted: () => boolean): Promise<Source> {
  const text = listingText(listing, rowsOf(listing.tree, listing.directory, budget, isWanted));
  const first = await text.next();
  const pieces = async function* () {
    yield first.value ?? '';
    yield* text;
  };
  return { pieces: pieces(), end: () => text.return() };
}

type Windows = FileAnswer['windows'];

/** A file that is given out whole is hashed on the way, if somebody has ever asked for files by their hashes and this one is not known. */
function hashingOf({ resource: { file, size }, range }: Body & { kind: 'file' }, hashes: FileHashes): SendHooks['onBytes'] {
  const isWhole = range.from === 0 && range.to === size;
  // The block of a file that is one leaf says its sha256 by itself.
  if (!isWhole || !hashes.isInUse || hashes.isFull || leafOf(file) !== undefined || hashes.isHashed(file.digest)) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  return (part) => {
    hash.update(part);
    bytes += part.length;
    // Before the last of it goes out: whoever has the file may ask for it by its hash at once.
    if (bytes === size) hashes.add(hash.digest(), file.digest);
  };
}
