/** What may stand in `config.json`, and how a mistake in it is reported. Loads zod. */
import { z } from 'zod';
import { ShardctlError } from '../core/errors.ts';
import { GATE_ACTIONS, GATE_KINDS } from '../core/verdict.ts';
import { CONFIG_FORMAT, type Config, DEFAULT_CONFIG, DEFAULT_PROFILE, DEFAULT_SHARD_BYTES, PEER_NAME } from './config.ts';
import { parseKeep } from './retention.ts';
import { parseSize } from './sizes.ts';
import { parseTime, parseTimeout } from './times.ts';

const size = z
  .union([z.int().positive(), z.string()], 'expected bytes as a number, or a size such as "500GB"')
  .transform((value, context) => {
    const bytes = typeof value === 'number' ? value : parseSize(value);
    if (bytes !== undefined && bytes > 0) return bytes;
    context.addIssue({ code: 'custom', message: `"${value}" is not a size; write for example "500GB" or "128MiB"` });
    return z.NEVER;
  });

const count = z.int().refine((n) => n === -1 || n >= 1, 'expected a number of peers from 1, or -1 for every peer');

export const replication = z
  .strictObject({ min: count, max: count })
  .refine(({ min, max }) => max === -1 || (min !== -1 && min <= max), 'min is more than max');

const name = z.string().regex(PEER_NAME, 'expected a name of letters, digits, ".", "_" and "-"');

const url = z.url({ protocol: /^https?$/, error: 'expected an http or https URL' });

/** Settings that every kind of peer may have. */
export const placement = {
  capacity: size.optional(),
  reserve: size.optional(),
  weight: z.number().nonnegative('expected a number from 0').optional(),
  drained: z.boolean().optional(),
  tags: z.record(z.string(), z.string()).default({}),
};

const text = z.string().min(1, 'expected a text');

const time = z.string().refine((it) => parseTime(it) !== undefined, 'expected a time such as "90s", "30m" or "6h"');

const localPeer = z.strictObject({
  kind: z.literal('local'),
  name,
  path: z.string().min(1, 'expected a path'),
  layout: z.enum(['car', 'blockstore'], 'expected "car" or "blockstore"').default('car'),
  shared: z.boolean().optional(),
  ...placement,
});

const owner = z
  .string()
  .regex(/^[a-z0-9]{1,16}$/, 'expected up to 16 letters and digits')
  .optional();

const kuboPeer = z.strictObject({
  kind: z.literal('kubo'),
  name,
  url,
  id: z.string().min(1, 'expected the peer ID of the daemon'),
  owner,
  tokenFile: z.string().min(1, 'expected a path').optional(),
  gateway: url.optional(),
  ...placement,
});

const path = z.string().min(1, 'expected a path');
const clusterMember = z.strictObject({
  id: z.string().min(1, 'expected the ID of a member'),
  name,
  kubo: url.optional(),
  kuboId: z.string().min(1, 'expected the peer ID of a Kubo').optional(),
  drained: z.boolean().optional(),
});

const cluster = z.strictObject({
  kind: z.literal('cluster'),
  name,
  url,
  owner,
  user: z.string().optional(),
  passwordFile: path.optional(),
  tokenFile: path.optional(),
  ca: path.optional(),
  gateway: url.optional(),
  federate: z.boolean().optional(),
  replication: replication.optional(),
  ...placement,
  members: z.array(clusterMember).default([]),
  bystanders: z.array(z.strictObject({ id: z.string().min(1, 'expected the ID of a member'), name: z.string() })).optional(),
});

const schema = z.strictObject({
  format: z.literal(CONFIG_FORMAT),
  peers: z
    .array(z.discriminatedUnion('kind', [localPeer, kuboPeer, cluster], { error: 'expected "local", "kubo" or "cluster"' }))
    .superRefine((peers, context) => {
      const seen = new Set<string>();
      for (const [index, peer] of peers.entries()) {
        const members = peer.kind === 'cluster' ? peer.members.map((member) => member.name) : [];
        for (const it of [peer.name, ...members]) {
          if (seen.has(it)) context.addIssue({ code: 'custom', path: [index, 'name'], message: `two peers are called "${it}"` });
          seen.add(it);
        }
      }
    })
    .default([]),
  replication: replication.default(DEFAULT_CONFIG.replication),
  allocateBy: z.array(z.string()).min(1, 'expected at least one allocator').default(['freespace']),
  shardSize: size.default(DEFAULT_SHARD_BYTES),
  profile: z.string().default(DEFAULT_PROFILE),
  shared: z.boolean().optional(),
  gate: z
    .union([z.enum(['auto', 'off']), z.array(z.enum(GATE_KINDS)).min(1)], `expected "auto", "off", or a list of ${GATE_KINDS.join(', ')}`)
    .optional(),
  gateAction: z.enum(GATE_ACTIONS, 'expected "hold" or "warn"').optional(),
  gateKeyrings: z.array(z.string().startsWith('/', 'expected an absolute path')).optional(),
  keep: text
    .superRefine((it, context) => {
      try {
        parseKeep(it);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    })
    .optional(),
  grace: time.optional(),
  onCommit: text.optional(),
  onProblem: text.optional(),
  hookTimeout: z
    .string()
    .refine((it) => parseTimeout(it) !== undefined, 'expected a time such as "90s" or "5m"')
    .optional(),
});

/**
 * @param file named in the error
 * @throws ShardctlError `NEWER_FORMAT`, or `BAD_CONFIG` naming the first field that is wrong
 */
export function validateConfig(value: unknown, file: string): Config {
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > CONFIG_FORMAT) {
    throw new ShardctlError('NEWER_FORMAT', `${file} has format ${format}; this shardctl reads up to format ${CONFIG_FORMAT}`, {
      hint: 'a newer shardctl wrote this home: install that version or a later one',
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw result.error;
  throw new ShardctlError('BAD_CONFIG', `${file}: ${fieldOf(issue.path)}: ${messageOf(issue)}`, {
    hint: 'mend it with an editor',
  });
}

/** `peers[0].capacity` */
function fieldOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'settings';
  return path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`), '');
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown field "${issue.keys[0]}"`;
  return issue.message.replace(/^Invalid input: /, '');
}
