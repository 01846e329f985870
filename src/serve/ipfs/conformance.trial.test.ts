/**
 * `serve` beside real Kubo, answer for answer: an ordinary home and a stock datastore are given the same fixtures of the public conformance
 * suite, and asked the same questions.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { cidsIn, FixtureDag, type FixtureEntry, fixtureCar, urlOf, WHOLE_FIXTURES } from '../../testing/gateway-fixtures.ts';
import { KuboDaemon, kuboBinary, requireKubo } from '../../testing/kubo.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';

const RAW = 'application/vnd.ipld.raw';
const CAR = 'application/vnd.ipld.car';

interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'GET' | 'HEAD';
  /** Headers that are not compared, because the answers may differ there. */
  readonly except?: readonly string[];
  /** The body is a page, which every program writes in its own way. */
  readonly isPage?: boolean;
}

/** What a client goes by. Tags of CARs and pages are made by each program in its own way. */
const HEADERS = [
  'content-type',
  'content-length',
  'content-range',
  'content-disposition',
  'content-location',
  'accept-ranges',
  'cache-control',
  'etag',
  'last-modified',
  'location',
  'x-ipfs-path',
  'x-ipfs-roots',
];

/** Without a name that says it, Kubo looks into the file for its type, and knows more types than text. */
const NAMELESS = ['content-type'];

function questionsOf(dag: FixtureDag): Question[] {
  const all = dag.entries();
  const step = Math.ceil(all.length / 10);
  return [
    ...all.filter((_, at) => at % step === 0).flatMap((entry) => questionsAbout(dag, entry)),
    { url: `${urlOf({ names: ['none'] }, dag.root)}` },
    { url: `${urlOf({ names: ['none'] }, dag.root)}?format=raw` },
  ];
}

function questionsAbout(dag: FixtureDag, { names, cid }: FixtureEntry): Question[] {
  const url = urlOf({ names }, dag.root);
  const blocks: Question[] = [
    { url: `${url}?format=raw` },
    // Kubo forgets to encode the address that it gives.
    { url, headers: { accept: RAW }, except: url.includes('%') ? ['content-location'] : [] },
    { url: `${url}?format=raw&filename=%C4%85%20b.bin` },
    { url: `${url}?format=raw`, headers: { range: 'bytes=3-5' } },
    { url: `${url}?format=raw`, headers: { range: 'bytes=0-1,4-5' } },
    { url: `${url}?format=raw`, method: 'HEAD' },
    { url: `${url}?format=raw`, headers: { 'if-none-match': `"x", W/"${cid}.raw"` } },
    { url: `${url}?format=raw`, headers: { 'cache-control': 'only-if-cached' } },
  ];
  const cars = ['', '&dag-scope=block', '&dag-scope=entity', '&car-dups=y', '&car-order=unk', '&entity-bytes=0:*&dag-scope=entity'].map(
    (query) => ({
      url: `${url}?format=car${query}`,
      // Kubo leaves characters in the name that RFC 8187 wants encoded.
      except: ['etag', 'content-length', ...(url.includes('%') ? ['content-disposition'] : [])],
    }),
  );
  return [
    ...blocks,
    ...cars,
    {
      url,
      headers: { accept: `${CAR};version=1;order=dfs;dups=y` },
      except: ['etag', 'content-length', 'content-location', 'content-disposition'],
    },
    ...filesAt(dag, url, { names, cid }),
  ];
}

function filesAt(dag: FixtureDag, url: string, { names, cid }: Pick<FixtureEntry, 'names' | 'cid'>): Question[] {
  if (!dag.isDirectory(cid)) {
    const except = names.at(-1)?.includes('.') ? [] : NAMELESS;
    const isSymlink = dag.unixFs(cid)?.type === 'symlink';
    const size = isSymlink ? 1 : dag.contents(cid).length;
    const ranges = isSymlink ? [] : ['bytes=1-2', 'bytes=-1', `bytes=${size - 1}-`, 'bytes=0-0,1-1', `bytes=${size}-`];
    return [
      { url, except },
      { url, method: 'HEAD', except },
      { url, headers: { 'if-none-match': `"${cid}"` }, except },
      { url: `${url}?filename=x.pdf&download=true` },
      ...ranges.map((range) => ({
        url,
        headers: { range },
        except: ['content-type', 'x-ipfs-path', 'x-ipfs-roots', 'cache-control', 'etag', 'accept-ranges'],
      })),
    ];
  }
  const hasIndex = dag.links(cid).some(({ Name }) => Name === 'index.html');
  return [
    { url, isPage: true, except: ['content-type', 'content-length', 'cache-control'] },
    { url: `${url}/`, isPage: !hasIndex, except: hasIndex ? [] : ['etag', 'content-length'] },
  ];
}

suite('serve answers as stock Kubo does', { skip: onlyInAll(kuboBinary() === undefined && 'no Kubo binary') }, () => {
  const program = new Program();
  let served: ServeProcess;
  let kubo: KuboDaemon;

  before(async () => {
    for (const name of WHOLE_FIXTURES) program.succeeds('import-car', fixtureCar(name), '--name', name);
    served = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
    kubo = await KuboDaemon.start(program.path('ipfs'), {}, ['--offline']);
    for (const name of WHOLE_FIXTURES) await kubo.repo.start(['dag', 'import', '--pin-roots=false', fixtureCar(name)]);
  });

  after(async () => {
    await kubo?.stop();
    await served?.stop();
    program.dispose();
  });

  for (const name of WHOLE_FIXTURES)
    test(`about ${name}`, async (t) => {
      if (!requireKubo(t)) return;
      for (const question of questionsOf(await FixtureDag.open(name))) {
        const [expected, actual] = [await answerOf(kubo.gateway, question), await answerOf(served.url, question)];
        assert.deepEqual(actual, expected, JSON.stringify(question));
      }
    });

  test('about what is nowhere', async () => {
    const missing = '/ipfs/QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN';
    for (const question of [
      { url: missing },
      { url: `${missing}?format=raw` },
      { url: missing, headers: { 'cache-control': 'only-if-cached' } },
      { url: missing, headers: { 'cache-control': 'only-if-cached' }, method: 'HEAD' as const },
      { url: '/ipfs/bafkqaaa?format=raw' },
      { url: '/ipfs/bafkqaaa?format=raw', method: 'HEAD' as const },
      { url: '/ipfs/nonsense' },
      { url: '/ipfs/bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa', except: NAMELESS },
    ]) {
      const statuses = [await answerOf(kubo.gateway, question), await answerOf(served.url, question)].map(({ status }) => status);
      assert.equal(statuses[1], statuses[0], JSON.stringify(question));
    }
  });
});

async function answerOf(base: string, { url, headers = {}, method = 'GET', except = [], isPage = false }: Question) {
  const response = await fetch(base + url, { headers, method, redirect: 'manual' });
  const body = Buffer.from(await response.arrayBuffer());
  const { status } = response;
  const compared = status < 300 ? HEADERS : status === 304 ? ['etag', 'cache-control'] : ['content-range', 'location'];
  const fields = Object.fromEntries(compared.filter((name) => !except.includes(name)).map((name) => [name, response.headers.get(name)]));
  if (status >= 300 || isPage) return { status, fields };
  const isCar = response.headers.get('content-type')?.startsWith(CAR) === true;
  return { status, fields, body: isCar ? await cidsIn(body) : body.toString('latin1') };
}
