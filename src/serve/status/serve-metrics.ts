/**
 * What `serve` counts of its requests. Every answer is counted, so counting is additions in arrays of numbers and takes no memory:
 * prom-client, which makes a text of the labels to find each number, reads these arrays when it is asked for the metrics
 * (`request-metrics.ts`). Labels are taken from short lists, never from what a client sends.
 */

/** Kinds of routes. `status` is the page, its events, metrics and health; `other` is what no route takes. */
export const ROUTES = ['path', 'by-sha256', 'ipfs', 'routing', 'status', 'other'] as const;
export type Route = (typeof ROUTES)[number];

export const METHODS = ['GET', 'HEAD', 'OPTIONS', 'other'] as const;

/** Status codes by themselves; others are counted as one of `other`. */
export const STATUSES = [
  200, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 410, 412, 414, 416, 429, 431, 500, 501, 502, 503, 504, 0,
] as const;

/** Caches whose use is counted: bodies of small files. */
export const CACHES = ['bodies'] as const;
export type Cache = (typeof CACHES)[number];

/** What happens now and then: connections over the limit, readers too slow, replicas that cannot be read (each once a day), answers cut rather than sent wrong. */
export const INCIDENTS = ['connection-refused', 'reader-dropped', 'replica-failed', 'answer-cut'] as const;
export type Incident = (typeof INCIDENTS)[number];

/** Upper bounds of the latency histogram, in seconds. */
export const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

const ROUTE_AT = indexOf(ROUTES);
const CACHE_AT = indexOf(CACHES);
const INCIDENT_AT = indexOf(INCIDENTS);
/** Index into STATUSES by status code. */
const STATUS_AT = new Uint8Array(1000).fill(STATUSES.length - 1);
for (const [at, status] of STATUSES.entries()) if (status > 0) STATUS_AT[status] = at;

export class ServeMetrics {
  /** Answers by route, method and status, in that order. */
  readonly requests = new Float64Array(ROUTES.length * METHODS.length * STATUSES.length);
  /** Bytes of bodies, by route: the lengths that answers have told. */
  readonly bytes = new Float64Array(ROUTES.length);
  /** Answers by route and bucket, not added up; the last bucket has no bound. */
  readonly buckets = new Float64Array(ROUTES.length * (BUCKETS.length + 1));
  /** Seconds by route. */
  readonly seconds = new Float64Array(ROUTES.length);
  /** Hits and misses by cache. */
  readonly hits = new Float64Array(CACHES.length);
  readonly misses = new Float64Array(CACHES.length);
  readonly incidents = new Float64Array(INCIDENTS.length);
  /** Connections that are open; whoever accepts them puts its own function here. */
  connections: () => number = () => 0;

  /**
   * An answer has ended, be it whole or cut.
   * @param bytes of the body, by the length that the answer has told @param seconds from the request's header to the end of the answer
   */
  answered(route: Route, method: string, status: number, bytes: number, seconds: number): void {
    const at = ROUTE_AT[route];
    add(this.requests, (at * METHODS.length + methodAt(method)) * STATUSES.length + (STATUS_AT[status] ?? STATUSES.length - 1), 1);
    add(this.bytes, at, bytes);
    add(this.seconds, at, seconds);
    let bucket = 0;
    for (const bound of BUCKETS) {
      if (seconds <= bound) break;
      bucket += 1;
    }
    add(this.buckets, at * (BUCKETS.length + 1) + bucket, 1);
  }

  hit(cache: Cache): void {
    add(this.hits, CACHE_AT[cache], 1);
  }

  miss(cache: Cache): void {
    add(this.misses, CACHE_AT[cache], 1);
  }

  incident(kind: Incident): void {
    add(this.incidents, INCIDENT_AT[kind], 1);
  }
}

/** The kind of a route, by its pattern as it was given to the server; undefined for a request that no route takes. */
export function routeOf(pattern: string | undefined): Route {
  return (pattern === undefined ? undefined : ROUTE_OF.get(pattern)) ?? routeByPrefix(pattern);
}

const ROUTE_OF = new Map<string, Route>([
  ['/*', 'path'],
  ['/', 'status'],
  ['/events', 'status'],
  ['/metrics', 'status'],
  ['/healthz', 'status'],
  ['/readyz', 'status'],
  ['/favicon.ico', 'status'],
  ['/robots.txt', 'status'],
]);

function routeByPrefix(pattern: string | undefined): Route {
  if (pattern?.startsWith('/ipfs') === true || pattern?.startsWith('/ipns') === true) return 'ipfs';
  if (pattern?.startsWith('/routing') === true) return 'routing';
  return pattern?.startsWith('/by-sha256') === true ? 'by-sha256' : 'other';
}

function methodAt(method: string): number {
  if (method === 'GET') return 0;
  if (method === 'HEAD') return 1;
  return method === 'OPTIONS' ? 2 : 3;
}

/** The one place where an index is taken for one of the array. */
function add(numbers: Float64Array, at: number, amount: number): void {
  numbers[at] = (numbers[at] as number) + amount;
}

function indexOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, at) => [name, at])) as Record<Name, number>;
}
