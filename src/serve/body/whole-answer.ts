/**
 * Answers of 200 whose header was made before and whose body is in memory. `writeHead` and `end` check and join the header anew each time,
 * and write it, the body and an empty end as three pieces: 4 of the 37 µs that a file of 10 KiB took. Here a client of HTTP/1.1 that keeps
 * its connection gets header and body as one piece.
 *
 * What Node adds to a header (Date, Connection, Keep-Alive) is taken from an answer that Node has given itself, once a second. If its
 * responses should not have the fields that tell it, as in a later version, Node gives all answers.
 */
import { IncomingMessage, type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import { Readable } from 'node:stream';
import { endWith, HEADER_ROOM, writePiece } from './small-body.ts';

const STATUS_LINE = 'HTTP/1.1 200 OK\r\n';
const NEWLINE = '\r\n';
const COLON = ': ';

/** Status line and fields, each with its end of line; what Node adds is missing. @throws TypeError when a name or value can stand in no header */
export function headerOf(fields: Readonly<Record<string, string>>): string {
  let header = STATUS_LINE;
  for (const name in fields) {
    const value = fields[name] as string;
    validateHeaderName(name);
    validateHeaderValue(name, value);
    header += `${name}${COLON}${value}${NEWLINE}`;
  }
  return Buffer.from(header, 'latin1').toString('latin1');
}

export interface WholeAnswer {
  /** Of `headerOf`, with the length of the body. */
  readonly header: string;
  /** May be one of `readSmall`. */
  readonly body: Uint8Array;
  /** Whether somebody looks at the fields of the response after it was sent. */
  readonly isLogged: boolean;
}

export function answerWhole(request: IncomingMessage, response: ServerResponse, { header, body, isLogged }: WholeAnswer): void {
  const second = Math.floor(Date.now() / 1000);
  const { socket } = response;
  const isPlain = socket !== null && !('encrypted' in socket) && request.httpVersionMajor === 1 && response.shouldKeepAlive;
  if (isPlain && !isLogged && second === added.second && header.length + added.fields.length <= HEADER_ROOM) {
    writePiece(socket, header + added.fields, body);
    if (request instanceof BodilessRequest) request.isOver = true;
    endWritten(response);
    return;
  }
  const fields = fieldsOf(header);
  if (isLogged) for (let at = 0; at < fields.length; at += 2) response.setHeader(fields[at] as string, fields[at + 1] as string);
  else response.writeHead(200, fields);
  if (isPlain && !isLogged) learn(second, header, response);
  endWith(request, response, body);
}

/** What Node adds to the header of an answer after which the connection stays, to its end; and the second in which it did. */
let added = { second: Number.NaN, fields: '' };

/** What Node's types do not know of its responses: the header, null before it is made, and whether that was written. */
interface Outgoing {
  _header: string | null;
  _headerSent: boolean;
}

function learn(second: number, header: string, response: ServerResponse): void {
  const { _header, _headerSent } = response as unknown as Partial<Outgoing>;
  if (_headerSent === false && _header?.startsWith(header) === true) added = { second, fields: _header.slice(header.length) };
}

/**
 * A request as the server takes it. Of each one Node reads the body to its end, and ends and closes the stream of it in later turns, also
 * where there is none: 2 of the 20 µs that an answer from memory took. This one is over when it was answered.
 */
export class BodilessRequest extends IncomingMessage {
  isOver = false;

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    return this.isOver || super.push(chunk, encoding);
  }

  /** Called by Node for a request whose body nobody has read. */
  _dump(): void {
    if (!this.isOver) dumpByNode.call(this);
  }
}

const { _dump: dumpByNode } = IncomingMessage.prototype as unknown as { readonly _dump: (this: IncomingMessage) => void };
const endedByNode = Object.getOwnPropertyDescriptor(Readable.prototype, 'readableEnded') as PropertyDescriptor;

// By it Node knows that it may let go of the request. Its types have a plain field there, which no accessor may replace.
Object.defineProperty(BodilessRequest.prototype, 'readableEnded', {
  ...endedByNode,
  get(this: BodilessRequest) {
    return this.isOver || endedByNode.get?.call(this);
  },
});

/** Ends a response whose header and body were written: Node writes nothing more. */
function endWritten(response: ServerResponse): void {
  const outgoing = response as unknown as Outgoing;
  outgoing._header = STATUS_LINE;
  outgoing._headerSent = true;
  response.end();
}

/** Names and values by turns. */
function fieldsOf(header: string): string[] {
  const fields: string[] = [];
  for (const line of header.slice(STATUS_LINE.length, -NEWLINE.length).split(NEWLINE)) {
    const colon = line.indexOf(COLON);
    fields.push(line.slice(0, colon), line.slice(colon + COLON.length));
  }
  return fields;
}
