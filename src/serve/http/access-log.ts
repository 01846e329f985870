/** A line for each answer, in the common log format or as JSON. What clients send stands in it escaped, and what they prove who they are with never. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export const LOG_FORMATS = ['common', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface AccessLogOptions {
  readonly format: LogFormat;
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Notes the request now and its answer when that has ended, be it whole or cut. */
export function logAnswer({ format, write, now }: AccessLogOptions, request: IncomingMessage, response: ServerResponse): void {
  const began = now();
  const { method = '-', url = '-', httpVersion, headers } = request;
  const client = request.socket.remoteAddress ?? '-';
  response.once('close', () => {
    const status = response.statusCode;
    const length = Number(response.getHeader('content-length') ?? Number.NaN);
    const bytes = response.writableFinished && method !== 'HEAD' && Number.isSafeInteger(length) ? length : undefined;
    if (format === 'json') {
      const record = {
        time: new Date(began).toISOString(),
        client,
        method,
        url,
        protocol: `HTTP/${httpVersion}`,
        status,
        bytes,
        seconds: (now() - began) / 1000,
        complete: response.writableFinished,
        agent: headers['user-agent'],
        referer: headers.referer,
      };
      write(JSON.stringify(record));
    } else {
      write(`${client} - - [${commonTime(began)}] "${method} ${quoted(url)} HTTP/${httpVersion}" ${status} ${bytes ?? '-'}`);
    }
  });
}

/** As `10/Oct/2000:13:55:36 +0000`. */
function commonTime(ms: number): string {
  // Tue, 10 Oct 2000 13:55:36 GMT
  const [, day, month, year, time] = new Date(ms).toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}

/** Quotes, backslashes and what is no printable ASCII as `\xHH`, so that a line stays one line and a field one field. */
function quoted(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
