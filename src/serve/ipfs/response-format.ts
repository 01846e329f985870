/** In which form a client asks for content: `?format=`, or the first type of its `Accept` that names a form (IPIP-523: the query wins). */
import { BadRequest } from './content-path.ts';

export const RAW_TYPE = 'application/vnd.ipld.raw';
export const CAR_TYPE = 'application/vnd.ipld.car';

const TYPES: Readonly<Record<string, string>> = {
  raw: RAW_TYPE,
  car: CAR_TYPE,
  tar: 'application/x-tar',
  json: 'application/json',
  cbor: 'application/cbor',
  'dag-json': 'application/vnd.ipld.dag-json',
  'dag-cbor': 'application/vnd.ipld.dag-cbor',
  'ipns-record': 'application/vnd.ipfs.ipns-record',
};

/** Other types of `Accept` name no form: a browser's `text/html` asks for whatever the content is. */
const NAMES_A_FORM = /^application\/(vnd\.ipld|vnd\.ipfs|x-tar|json|cbor)/;

export interface ResponseFormat {
  /** Media type; undefined: the content itself. */
  readonly type: string | undefined;
  /** Parameters of the type in `Accept`, names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

/** @throws BadRequest when a type in `Accept` that names a form is no media type */
export function responseFormatOf(query: URLSearchParams, accept: string | undefined): ResponseFormat {
  const asked = TYPES[query.get('format') ?? ''];
  const accepted = accept === undefined ? undefined : firstForm(accept);
  if (asked === undefined) return accepted ?? { type: undefined, parameters: NONE };
  return accepted?.type === asked ? accepted : { type: asked, parameters: NONE };
}

function firstForm(accept: string): ResponseFormat | undefined {
  for (const part of accept.split(',')) {
    const value = part.trim();
    if (!NAMES_A_FORM.test(value)) continue;
    const [type = '', ...rest] = value.split(';').map((piece) => piece.trim());
    if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) throw new BadRequest(`"${value}" in the Accept header is no media type`);
    return { type: type.toLowerCase(), parameters: new Map(rest.filter((piece) => piece !== '').map(parameterOf)) };
  }
  return undefined;
}

function parameterOf(piece: string): [string, string] {
  const [, name = '', value = ''] = /^([\w.-]+)\s*=\s*"?([^"]*)"?$/.exec(piece) ?? [];
  if (name === '') throw new BadRequest(`"${piece}" in the Accept header is no parameter of a media type`);
  return [name.toLowerCase(), value];
}
