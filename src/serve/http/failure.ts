/** What a client is told of an answer that failed before it began: no more than what to do next. Who runs the server is told the rest. */
import { ShardctlError } from '../../core/errors.ts';
import { MovedBlock } from '../../read/stored/stored-blocks.ts';
import { NotYetKnown } from '../access/access.ts';
import { TooMuchListed } from '../paths/listing.ts';

export interface Failure {
  readonly code: number;
  readonly text: string;
  /** Seconds after which it may work. */
  readonly retryAfter?: number;
  /** The server is not as it should be. */
  readonly isTrouble: boolean;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof NotYetKnown) {
    return { code: 503, text: 'what may be shown is still being found out', retryAfter: error.retryAfter, isTrouble: false };
  }
  if (error instanceof TooMuchListed) return { code: 503, text: error.message, retryAfter: error.retryAfter, isTrouble: false };
  if (error instanceof ShardctlError) {
    if (error instanceof MovedBlock) return { code: 503, text: 'this has just been moved', retryAfter: 1, isTrouble: false };
    if (error.code === 'TOO_FEW_PEERS') return { code: 503, text: 'what has this does not answer', retryAfter: 30, isTrouble: true };
    if (error.code === 'DAMAGE') return { code: 502, text: 'this is damaged', isTrouble: true };
    if (error.retryable) return { code: 503, text: 'this cannot be read at the moment', retryAfter: 5, isTrouble: true };
  }
  // Fastify's own: the request was wrong, and its message says how.
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return { code: statusCode, text: String(message), isTrouble: false };
  }
  return { code: 500, text: 'this failed, and whoever runs the server was told why', isTrouble: true };
}
