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
  let unseen = 0;
  let open = 0;
  const seen = () => {
    unseen = 0;
  };
  const parser = new Parser(
    {
      onopentag: (name, attributes) => {
        seen();
        if (++open > MOST_OPEN && isXml)
          throw new UnreadableIndex(`has more than ${MOST_OPEN.toLocaleString('en-US')} elements in one another`);
        elements.open(name, attributes);
      },
      ontext: (text) => {
        seen();
        elements.text(text);
      },
      onclosetag: (name) => {
        seen();
        open--;
        elements.close(name);
      },
    },
    { xmlMode: isXml },
  );
  const decoder = new TextDecoder();
  for await (const part of bytes) {
    unseen += part.length;
    parser.write(decoder.decode(part, { stream: true }));
    if (unseen > MOST_IN_A_TAG) throw new UnreadableIndex('has a tag of more than 4 MiB');
    yield;
  }
  parser.end(decoder.decode());
  yield;
}
