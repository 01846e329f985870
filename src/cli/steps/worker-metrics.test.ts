import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plain } from '../../serve/status/exposition.ts';
import { requestFamilies } from '../../serve/status/request-metrics.ts';
import { ServeMetrics } from '../../serve/status/serve-metrics.ts';
import { countersOf } from './worker-metrics.ts';

test('of workers that have died their counts stay, and not what they had open', () => {
  const worker = (count: number) => {
    const metrics = new ServeMetrics();
    metrics.connections = () => 7;
    for (let at = 0; at < count; at += 1) metrics.answered('path', 'GET', 200, 10, 0.001);
    metrics.answered('ipfs', 'GET', 404, 0, 1);
    return plain(requestFamilies(metrics));
  };
  const gone = countersOf([countersOf([worker(3)]), worker(4)]);
  const values = new Map(
    gone.flatMap(({ name, values }) => values.map(({ value, ...rest }) => [`${name} ${JSON.stringify(rest)}`, value] as const)),
  );
  assert.equal(values.get('shardctl_http_requests_total {"labels":{"route":"path","method":"GET","status":"200"}}'), 7);
  assert.equal(values.get('shardctl_http_requests_total {"labels":{"route":"ipfs","method":"GET","status":"404"}}'), 2);
  assert.equal(values.get('shardctl_http_sent_bytes_total {"labels":{"route":"path"}}'), 70);
  const count = '{"metricName":"shardctl_http_request_duration_seconds_count","labels":{"route":"path"}}';
  assert.equal(values.get(`shardctl_http_request_duration_seconds ${count}`), 7);
  assert.ok(![...values.keys()].some((key) => key.includes('connections')));
});
