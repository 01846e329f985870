/** The alert rules and the dashboard of `docs/` name metrics that there are, in expressions that Prometheus can read. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { GAUGES } from '../maintain/figures/gauges.ts';
import { processFamilies } from '../serve/status/exposition.ts';
import { requestFamilies } from '../serve/status/request-metrics.ts';
import { ServeMetrics } from '../serve/status/serve-metrics.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly datasource: { readonly uid: string } }[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly time: { readonly from: string; readonly to: string };
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly query: string }[] };
  readonly panels: readonly Panel[];
}

const rules = (parse(read('docs/prometheus/alerts.yml')) as { groups: { name: string; rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read('docs/grafana/shardctl.json')) as Dashboard;

/** All metrics that there are: those of `/metrics`, of which the files of `--metrics-file` have a part. */
async function known(): Promise<Set<string>> {
  const names = Object.values(GAUGES).map(([name]) => name as string);
  for (const { name, type } of [...requestFamilies(new ServeMetrics()), ...(await processFamilies())]) {
    names.push(...(String(type) === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => `${name}${end}`) : [name]));
  }
  return new Set(names);
}

/** The metrics that an expression selects. @throws when it is none */
function metricsIn(expression: string): string[] {
  const names: string[] = [];
  parser.parse(expression).iterate({
    enter({ type, name, from, to, node }) {
      assert.ok(!type.isError, `${expression}: cannot be read at ${from}`);
      if (name === 'VectorSelector' && node.firstChild?.name === 'Identifier') names.push(expression.slice(from, node.firstChild.to));
      else if (name === 'VectorSelector') assert.fail(`${expression.slice(from, to)} names no metric`);
    },
  });
  return names;
}

test('a mistake in an expression would be found', () => {
  assert.throws(() => metricsIn('sum by (a (x) > 1'), /cannot be read/);
  assert.deepEqual(metricsIn('rate(a_total{b="c"}[5m]) / on (x) b offset 5m > 1'), ['a_total', 'b']);
});

test('each alert is a rule that Prometheus can read, of metrics that there are', async () => {
  const names = await known();
  assert.ok(rules.length >= 10);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, for: pending = '0m', labels, annotations } of rules) {
    const metrics = metricsIn(expr);
    assert.ok(metrics.length > 0, alert);
    for (const metric of metrics) assert.ok(names.has(metric), `${alert}: ${metric}`);
    assert.match(alert, /^Shardctl[A-Za-z]+$/);
    assert.match(pending, /^\d+[smhd]$/);
    assert.match(labels.severity, /^(info|warning|critical)$/);
    // Each says what is wrong and what to do.
    assert.ok(annotations.summary.length > 20 && annotations.description.length > 20, alert);
  }
});

test('each panel of the dashboard shows metrics that there are, and stands beside the others', async () => {
  const names = await known();
  assert.ok(dashboard.uid.length <= 40 && dashboard.title !== '' && dashboard.schemaVersion >= 36 && dashboard.time.to === 'now');
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  const taken = new Set<string>();
  for (const { title, type, gridPos, targets = [] } of dashboard.panels) {
    assert.match(type, /^(row|stat|timeseries|bargauge)$/);
    assert.equal(type === 'row', targets.length === 0, title);
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x} ${y}`), `${title} lies on another panel`);
        taken.add(`${x} ${y}`);
      }
    }
    for (const { expr, datasource } of targets) {
      // Variables of Grafana, as it fills them in.
      const filled = expr.replaceAll('$__rate_interval', '5m').replaceAll('$repository', '.*');
      for (const metric of metricsIn(filled)) assert.ok(names.has(metric), `${title}: ${metric}`);
      assert.equal(datasource.uid, `\${datasource}`);
    }
  }
  for (const { name, type, query } of dashboard.templating.list) {
    if (type === 'query') assert.ok(names.has(/^label_values\((\w+), \w+\)$/.exec(query)?.[1] ?? ''), name);
  }
});

test('docs/monitoring.md names every gauge, and no metric that is none', async () => {
  const text = read('docs/monitoring.md');
  const names = await known();
  for (const [name] of Object.values(GAUGES)) assert.ok(text.includes(`\`${name}\``), name);
  for (const [, name = ''] of text.matchAll(/`(shardctl_\w+)/g)) {
    assert.ok(names.has(name) || names.has(`${name}_bucket`), name);
  }
});
