/** What a client wants in a CAR: the parameters of IPIP-402 (scope and bytes) and IPIP-412 (order and duplicates). */
import { createHash } from 'node:crypto';
import type { ByteString } from '../../core/model.ts';
import { BadRequest } from './content-path.ts';
import { CAR_TYPE, type ResponseFormat } from './response-format.ts';

export type DagScope = 'block' | 'entity' | 'all';

/** Bytes of a file, both ends included; negative numbers count from its end. */
export interface EntityBytes {
  readonly from: number;
  /** Undefined: to the end. */
  readonly to: number | undefined;
}

export interface CarRequest {
  readonly scope: DagScope;
  readonly bytes: EntityBytes | undefined;
  readonly order: 'dfs' | 'unk';
  /** The client insists on the order: without its word a CAR that is there in another order may be sent. */
  readonly isOrdered: boolean;
  readonly dups: boolean;
}

/** @throws BadRequest */
export function carRequestOf(query: URLSearchParams, { parameters }: ResponseFormat): CarRequest {
  // In the query a parameter of the media type is called `car-…`, and wins over `Accept` (IPIP-523).
  const parameter = (name: string) => query.get(`car-${name}`) || parameters.get(name) || undefined;
  const version = parameter('version') ?? '1';
  if (version !== '1') throw new BadRequest('CARs of version 1 only');
  const scope = query.get('dag-scope') ?? 'all';
  if (scope !== 'block' && scope !== 'entity' && scope !== 'all') throw new BadRequest('dag-scope must be block, entity or all');
  const order = parameter('order') ?? 'dfs';
  if (order !== 'dfs' && order !== 'unk') throw new BadRequest('the order of a CAR must be dfs or unk');
  const dups = parameter('dups') ?? 'n';
  if (dups !== 'y' && dups !== 'n') throw new BadRequest('dups must be y or n');
  const bytes = query.get('entity-bytes');
  return {
    scope,
    bytes: bytes === null ? undefined : entityBytesOf(bytes),
    order,
    isOrdered: parameter('order') === 'dfs',
    dups: dups === 'y',
  };
}

function entityBytesOf(text: string): EntityBytes {
  const [, first = '', last = ''] = /^(-?\d{1,15}):(-?\d{1,15}|\*)$/.exec(text) ?? [];
  if (first === '') throw new BadRequest('entity-bytes must be FROM:TO or FROM:*');
  const [from, to] = [Number(first), last === '*' ? undefined : Number(last)];
  if (to !== undefined && from < 0 === to < 0 && from > to) throw new BadRequest('entity-bytes must not begin after they end');
  return { from, to };
}

export function carContentType({ order, dups }: Pick<CarRequest, 'order' | 'dups'>): string {
  return `${CAR_TYPE}; version=1; order=${order}; dups=${dups ? 'y' : 'n'}`;
}

/** Weak: the same blocks may come in another order. */
export function carEtag(root: string, path: ByteString, request: CarRequest): string {
  const { scope, bytes, order, dups } = request;
  const hash = createHash('sha256').update(JSON.stringify([path, scope, bytes?.from ?? 0, bytes?.to ?? '*', order, dups]));
  return `W/"${root}.car.${hash.digest('hex').slice(0, 16)}"`;
}
