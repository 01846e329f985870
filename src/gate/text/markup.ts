/**
 * Elements of XML and HTML as they stream by, parsed by htmlparser2. Nothing of the document is kept: its parser alone holds the element
 * that is open and what it has of a tag, and both are bounded here.
 */
import { Parser } from 'htmlparser2';
import { UnreadableIndex } from '../claims/claim.ts';

/** Characters without the end of a tag or of a text. */
const MOST_IN_A_TAG = 4 * 1024 ** 2;
const MOST_OPEN = 1000;

export interface Elements {
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  /** Text in parts, as it comes. */
  text(text: string): void;
  close(name: string): void;
}

/** Tells `elements` of a document, and hands on after each part of it. @throws UnreadableIndex */
export async function* parsed(bytes: AsyncIterable<Uint8Array>, isXml: boolean, elements: Elements): AsyncGenerator<void> {
  const document = new Document(isXml, elements);
  const decoder = new TextDecoder();
  for await (const part of bytes) {
    document.write(decoder.decode(part, { stream: true }));
    yield;
  }
  document.write(decoder.decode());
  document.end();
  yield;
}

/** The same of a part of a document of XML. @throws UnreadableIndex */
export function parsedText(text: string, elements: Elements): void {
  const document = new Document(true, elements);
  document.write(text);
  document.end();
}

class Document {
  readonly #parser: Parser;
  /** Characters since the last that was told. */
  #unseen = 0;
  #open = 0;
  #isAtEnd = false;

  constructor(isXml: boolean, elements: Elements) {
    this.#parser = new Parser(
      {
        onopentag: (name, attributes) => {
          this.#unseen = 0;
          if (++this.#open > MOST_OPEN && isXml)
            throw new UnreadableIndex(`has more than ${MOST_OPEN.toLocaleString('en-US')} elements in one another`);
          elements.open(name, attributes);
        },
        ontext: (text) => {
          this.#unseen = 0;
          elements.text(text);
        },
        onprocessinginstruction: (name) => {
          // Its entities may hold whole packages, and what it says may hide them from a parser that does not read it, as this one does not.
          if (isXml && name.toLowerCase() === '!doctype') throw new UnreadableIndex('has a DOCTYPE');
        },
        onclosetag: (name) => {
          this.#unseen = 0;
          this.#open--;
          // At the end the parser closes what is open: an XML document that was cut is not whole for that.
          if (!this.#isAtEnd || !isXml) elements.close(name);
        },
      },
      { xmlMode: isXml },
    );
  }

  write(text: string): void {
    this.#unseen += text.length;
    this.#parser.write(text);
    if (this.#unseen > MOST_IN_A_TAG) throw new UnreadableIndex('has a tag of more than 4 MiB');
  }

  end(): void {
    this.#isAtEnd = true;
    this.#parser.end();
  }
}
