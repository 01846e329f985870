/** Metrics as text, by prom-client: the one file that knows it. It also measures the process. */
import {
  AggregatorRegistry,
  collectDefaultMetrics,
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import type { Labels } from '../../maintain/figures/gauges.ts';

/** One value of a family; `metricName` where it is not the family's own, as of the buckets of a histogram. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

/** A metric with all of its values. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How the numbers of several workers become one. */
  readonly aggregator: 'sum' | 'first' | 'max' | 'min' | 'average' | 'omit';
  readonly values: readonly Sample[];
}

/** As prom-client gives its own metrics, and as one worker sends them to another. */
export type PlainFamily = MetricObjectWithValues<MetricValue<string>>;

let processRegistry: Registry | undefined;

/** CPU, memory, open files, delays of the event loop. Measuring begins with the first call: a server that nobody asks pays nothing. */
export async function processFamilies(): Promise<PlainFamily[]> {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return await processRegistry.getMetricsAsJSON();
}

/** The numbers of all workers as those of one server. */
export async function together(workers: readonly (readonly PlainFamily[])[]): Promise<PlainFamily[]> {
  const [only] = workers;
  if (workers.length === 1 && only !== undefined) return [...only];
  return await AggregatorRegistry.aggregate(workers.map((families) => [...families])).getMetricsAsJSON();
}

/** prom-client sends its own families as plain objects: ours can go among them. */
export function plain(families: readonly Family[]): PlainFamily[] {
  return families as unknown as PlainFamily[];
}

/** What a client takes, by its header `Accept`: OpenMetrics where it names it, else the older text of Prometheus. */
export function formatFor(accept: string | undefined): string {
  return accept?.includes('application/openmetrics-text') === true ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
}

export async function textOf(families: readonly PlainFamily[], format: string): Promise<string> {
  const registry = new Registry();
  registry.setContentType(format as typeof Registry.PROMETHEUS_CONTENT_TYPE);
  const isOpen = format === Registry.OPENMETRICS_CONTENT_TYPE;
  for (const family of families) {
    // In OpenMetrics the family of a counter has no `_total`: prom-client appends it to each value.
    const name = isOpen && family.type.toString() === 'counter' ? family.name.replace(/_total$/, '') : family.name;
    const metric = { ...family, name, get: () => ({ ...family, name }) };
    registry.registerMetric(metric as unknown as Metric);
  }
  return await registry.metrics();
}
