/** What `deploy/` has for containers: as its schemas want it, with commands that the program knows and files that are there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse, parseAllDocuments } from 'yaml';
import { parseCommandLine } from '../cli/command-line/args.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const readJson = (path: string) => JSON.parse(read(path)) as Record<string, unknown>;

/** Formats are not looked at: they are widths of numbers, and durations. */
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });

function holds(validate: ValidateFunction, value: unknown): void {
  assert.ok(validate(value), ajv.errorsText(validate.errors));
}

function isKnown(words: readonly string[]): void {
  assert.equal(parseCommandLine([...words]).kind, 'run', words.join(' '));
}

interface Service {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly healthcheck?: { readonly test?: string };
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
}

describe('deploy/compose', () => {
  const file = parse(read('deploy/compose/compose.yaml'), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, null>;
  };
  const validate = ajv.compile(readJson('fixtures/schemas/compose.json'));

  test('it holds to the Compose specification, which would find a mistake', () => {
    holds(validate, file);
    assert.ok(!validate({ services: { a: { image: 'b', comand: [] } } }));
    assert.ok(!validate({ services: { a: { image: 'b', restart: {} } } }));
  });

  test('the program knows each command line, and other images have a version', () => {
    const own = Object.values(file.services).filter(({ image }) => image === 'shardctl');
    assert.equal(own.length, 4);
    for (const { command } of own) isKnown(command ?? []);
    for (const { image } of Object.values(file.services)) assert.match(image, /^shardctl$|:v?\d+\.\d+\.\d+$/);
  });

  test('what runs for ever waits for nothing that ends: a member that is away would keep `up` from serving', () => {
    for (const [name, { depends_on = [], restart, profiles }] of Object.entries(file.services)) {
      const awaited = Object.entries(depends_on as Record<string, { condition?: string }>);
      if (restart === 'unless-stopped') {
        assert.equal(profiles, undefined, name);
        for (const [other, { condition }] of awaited) {
          assert.equal(condition, 'service_healthy', name);
          assert.equal(file.services[other]?.restart, 'unless-stopped', name);
        }
      } else {
        // A program that ends is called by name, one after the other; and one that is started again has not ended for good.
        assert.deepEqual([restart, profiles], [undefined, ['once']], name);
        assert.notEqual(awaited.length, 0);
        for (const [other, { condition }] of awaited) {
          if (condition === 'service_healthy') assert.ok(file.services[other]?.healthcheck?.test, `${name}: ${other}`);
          else assert.deepEqual([condition, file.services[other]?.profiles], ['service_completed_successfully', ['once']], name);
        }
      }
    }
  });

  test('what services name is there: services, volumes, files', () => {
    for (const [name, { depends_on = [], volumes = [] }] of Object.entries(file.services)) {
      const needed = Array.isArray(depends_on) ? (depends_on as string[]) : Object.keys(depends_on);
      for (const other of needed) assert.ok(other in file.services, `${name}: ${other}`);
      for (const [from = ''] of volumes.map((volume) => volume.split(':'))) {
        if (from.startsWith('.')) assert.ok(existsSync(join(ROOT, 'deploy/compose', from)), `${name}: ${from}`);
        else if (!from.startsWith('$')) assert.ok(from in file.volumes, `${name}: ${from}`);
      }
    }
    const { rule_files, scrape_configs } = parse(read('deploy/compose/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    for (const rules of rule_files)
      assert.ok(
        file.services.prometheus?.volumes?.some((volume) => volume.includes(`:/etc/prometheus/${rules}:`)),
        rules,
      );
    for (const target of scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets)))
      assert.ok((target.split(':')[0] ?? '') in file.services, target);
  });
});

interface Pod {
  readonly affinity?: { readonly podAffinity: Readonly<Record<string, readonly object[]>> };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
}

interface Container {
  readonly args: readonly string[];
  readonly envFrom: readonly { readonly secretRef: { readonly name: string } }[];
  readonly volumeMounts: readonly { readonly name: string }[];
}

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: Record<string, unknown>;
}

/** A Deployment has its pod in `template`, a CronJob one step deeper. */
function podOf({ spec = {} }: Resource): Pod | undefined {
  const { template } = ((spec.jobTemplate as { spec: object } | undefined)?.spec ?? spec) as { template?: { spec: Pod } };
  return template?.spec;
}

describe('deploy/kubernetes', () => {
  const [applied, created] = ['.', 'once'].map((folder) =>
    readdirSync(join(ROOT, 'deploy/kubernetes', folder))
      .filter((name) => name.endsWith('.yaml'))
      .flatMap((name) => parseAllDocuments(read(`deploy/kubernetes/${folder}/${name}`)).map((document) => document.toJS() as Resource)),
  ) as [Resource[], Resource[]];
  const resources = [...applied, ...created];
  const { kinds, $defs } = readJson('fixtures/schemas/kubernetes.json') as { kinds: Record<string, object>; $defs: object };
  const named = (kind: string) => resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name);

  test('each resource holds to the description of its kind, which would find a mistake', () => {
    assert.deepEqual([...new Set(resources.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))].sort(), Object.keys(kinds).sort());
    for (const resource of resources) {
      const validate = ajv.compile({ ...kinds[`${resource.apiVersion} ${resource.kind}`], $defs });
      holds(validate, resource);
      assert.ok(!validate({ ...resource, spce: {} }));
      assert.ok(!validate({ ...resource, metadata: { name: 1 } }));
    }
  });

  test('the program knows each command line; claims, secrets and volumes are there', () => {
    const pods = resources.flatMap((resource) => podOf(resource) ?? []);
    assert.equal(pods.length, 4);
    for (const { initContainers = [], containers, volumes } of pods) {
      for (const { args, envFrom, volumeMounts } of [...initContainers, ...containers]) {
        isKnown(args);
        for (const { secretRef } of envFrom) assert.ok(named('Secret').includes(secretRef.name), secretRef.name);
        for (const { name } of volumeMounts)
          assert.ok(
            volumes.some((volume) => volume.name === name),
            name,
          );
      }
      for (const { persistentVolumeClaim } of volumes) {
        if (persistentVolumeClaim !== undefined)
          assert.ok(named('PersistentVolumeClaim').includes(persistentVolumeClaim.claimName), persistentVolumeClaim.claimName);
      }
    }
  });

  test('what is applied each time is what may be: a Secret would be overwritten, and the Job of another version is refused', () => {
    assert.deepEqual(
      applied.filter(({ kind }) => kind === 'Secret' || kind === 'Job').map(({ metadata }) => metadata.name),
      [],
    );
    assert.deepEqual(created.map(({ kind }) => kind).sort(), ['Job', 'Secret']);
    const commands: readonly string[] = read('docs/installing.md').match(/^kubectl .*/gm) ?? [];
    assert.ok(commands.includes('kubectl create -f deploy/kubernetes/once/'));
    for (const command of commands) assert.doesNotMatch(command, /apply .*(once|-R|--recursive)/);
  });

  test('pods that want a claim which one node has at a time run on the node that serves', () => {
    const claims = resources.filter(({ kind }) => kind === 'PersistentVolumeClaim');
    assert.equal(claims.length, 2);
    for (const { spec } of claims) assert.deepEqual(spec?.accessModes, ['ReadWriteOnce']);
    const label = { app: 'shardctl-serve' };
    const beside = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: label } };
    for (const resource of resources) {
      const pod = podOf(resource);
      if (pod === undefined) continue;
      const { name } = resource.metadata;
      if (resource.kind === 'Deployment') {
        const { replicas, strategy, template } = resource.spec as { [key: string]: unknown; template: { metadata: { labels: object } } };
        assert.deepEqual([replicas, strategy, template.metadata.labels], [1, { type: 'Recreate' }, label], name);
      } else {
        const { requiredDuringSchedulingIgnoredDuringExecution: must, preferredDuringSchedulingIgnoredDuringExecution: may } =
          pod.affinity?.podAffinity ?? {};
        // The import comes before what serves, so it cannot wait for that.
        if (created.includes(resource)) assert.deepEqual(may, [{ weight: 100, podAffinityTerm: beside }], name);
        else assert.deepEqual(must, [beside], name);
      }
    }
  });

  test('the mirror keeps its owners and modes: shardctl would take a change of these for news', () => {
    for (const pod of resources.flatMap((resource) => podOf(resource) ?? [])) {
      assert.equal(pod.securityContext.fsGroupChangePolicy, 'OnRootMismatch');
      const mirror = pod.volumes.find(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === 'mirror');
      if (mirror !== undefined) assert.equal(mirror.persistentVolumeClaim?.readOnly, true);
    }
  });
});

describe('deploy/Containerfile', () => {
  const text = read('deploy/Containerfile');
  const words = (instruction: string) => JSON.parse(new RegExp(`^${instruction} (\\[.*\\])$`, 'm').exec(text)?.[1] ?? 'null') as string[];

  test('an image without a binary for its system is not made', () => {
    const [, installed = ''] = /^COPY --from=build (\S+)/m.exec(text) ?? [];
    const [build = ''] = text.split(/^FROM .* AS build$/m)[1]?.split(/^FROM /m) ?? [];
    assert.match(build, new RegExp(` && scripts/load-binaries ${installed}\n`));
    accessSync(join(ROOT, 'scripts/load-binaries'), constants.X_OK);
  });

  test('what it runs by default is a command of the program', () => {
    assert.deepEqual(words('ENTRYPOINT'), ['shardctl']);
    isKnown(words('CMD'));
  });

  test('its health check ends with 0 where the server answers, and with 1 where it does not', () => {
    const [program = '', ...args] = words('HEALTHCHECK CMD');
    assert.equal(program, 'node');
    for (const [answer, code] of [
      ['Promise.resolve({ ok: true })', 0],
      ['Promise.resolve({ ok: false })', 1],
      ['Promise.reject(new Error("refused"))', 1],
    ] as const) {
      const fetching = `data:text/javascript,globalThis.fetch = () => ${answer}`;
      assert.equal(spawnSync(process.execPath, ['--import', fetching, ...args]).status, code, answer);
    }
  });
});
