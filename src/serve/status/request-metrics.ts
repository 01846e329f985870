/** What `serve` has counted of its requests (`serve-metrics.ts`), as families of metrics. */
import type { Family, Sample } from './exposition.ts';
import { BUCKETS, CACHES, INCIDENTS, METHODS, ROUTES, type ServeMetrics, STATUSES } from './serve-metrics.ts';

export function requestFamilies(metrics: ServeMetrics): Family[] {
  return [
    counter('shardctl_http_requests_total', 'Answers, by kind of route, method and status.', requests(metrics)),
    counter(
      'shardctl_http_sent_bytes_total',
      'Bytes of bodies, by the lengths that answers have told.',
      byName('route', ROUTES, metrics.bytes),
    ),
    {
      name: 'shardctl_http_request_duration_seconds',
      help: 'From the header of a request to the end of its answer.',
      type: 'histogram',
      aggregator: 'sum',
      values: histogram(metrics),
    },
    counter('shardctl_http_incidents_total', 'What went wrong with connections and answers.', byName('kind', INCIDENTS, metrics.incidents)),
    counter('shardctl_cache_hits_total', 'Look-ups that a cache has answered.', caches(metrics, metrics.hits)),
    counter('shardctl_cache_misses_total', 'Look-ups that a cache could not answer.', caches(metrics, metrics.misses)),
    {
      name: 'shardctl_http_connections',
      help: 'Connections that are open.',
      type: 'gauge',
      aggregator: 'sum',
      values: [{ labels: {}, value: metrics.connections() }],
    },
  ];
}

function counter(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: 'counter', aggregator: 'sum', values };
}

/** Combinations that have never occurred are left out: there are hundreds. */
function requests({ requests: counts }: ServeMetrics): Sample[] {
  const values: Sample[] = [];
  let at = 0;
  for (const route of ROUTES) {
    for (const method of METHODS) {
      for (const status of STATUSES) {
        const value = counts[at] ?? 0;
        if (value > 0) values.push({ labels: { route, method, status: status === 0 ? 'other' : String(status) }, value });
        at += 1;
      }
    }
  }
  return values;
}

function byName(label: string, names: readonly string[], counts: Float64Array): Sample[] {
  return names.map((name, at) => ({ labels: { [label]: name }, value: counts[at] ?? 0 }));
}

/** A cache that nothing was looked up in is none of this server. */
function caches({ hits, misses }: ServeMetrics, counts: Float64Array): Sample[] {
  return byName('cache', CACHES, counts).filter((_, at) => (hits[at] ?? 0) + (misses[at] ?? 0) > 0);
}

function histogram({ buckets, seconds }: ServeMetrics): Sample[] {
  const name = 'shardctl_http_request_duration_seconds';
  const values: Sample[] = [];
  for (const [of, route] of ROUTES.entries()) {
    let sum = 0;
    for (const [at, bound] of [...BUCKETS, '+Inf'].entries()) {
      sum += buckets[of * (BUCKETS.length + 1) + at] ?? 0;
      values.push({ metricName: `${name}_bucket`, labels: { le: String(bound), route }, value: sum });
    }
    if (sum === 0) values.splice(-BUCKETS.length - 1);
    else
      values.push(
        { metricName: `${name}_sum`, labels: { route }, value: seconds[of] ?? 0 },
        { metricName: `${name}_count`, labels: { route }, value: sum },
      );
  }
  return values;
}
