/** The status page in a real Chromium: by day and by night, on a phone and on a desk, as it changes. `SHARDCTL_TEST_PICTURES=DIR` keeps what it looks like. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { recordFailure, recordUpdate } from '../../home/runs/records.ts';
import { Chromium, chromiumPath, type Page } from '../../testing/chromium.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { StatusHome } from '../../testing/status-home.ts';

const path = chromiumPath();
const pictures = process.env.SHARDCTL_TEST_PICTURES;
const RUN = { ended: '2026-11-26T11:00:00.000Z', seconds: 12, exitCode: 0 };
const APT = { dists: { stable: { main: { Release: 'x' }, contrib: { Release: 'x' }, InRelease: 'x' } } };
const HOSTILE = `"><img src=x onerror=document.title='hacked'>`;

/** As the home is when the page is opened. */
const HOMES: Readonly<Record<string, (home: StatusHome) => Promise<void>>> = {
  empty: async () => {},
  usual: async (home) => {
    await home.repository('debian', APT, 60, 120);
    await home.repository('npm', { left: { 'index.json': '{}' } }, 14);
    await home.repository('once', { a: 'b' }, 1);
    for (const [name, zone, used] of [
      ['a1', 'berlin', 40],
      ['a2', 'berlin', 88],
      ['b1', 'oslo', 97],
    ] as const) {
      // Two of them on one disk.
      const disk = zone === 'berlin' ? { disk: { id: '1', freeBytes: 6e11 } } : {};
      home.peer(name, zone, { usedBytes: used * 1e10, freeBytes: (100 - used) * 1e10, ...disk });
    }
    home.peer('b2', 'oslo', () => Promise.reject(new Error('refused')));
    recordUpdate(home.runs, 'debian', { ...RUN, number: 60, changedEntries: 1234, newBytes: 5e8 });
  },
  hostile: async (home) => {
    await home.repository(HOSTILE, APT, 4);
    await home.repository('x'.repeat(230), APT, 4);
    home.peer(`<b>${'y'.repeat(150)}`, '<i>z', { usedBytes: 1, freeBytes: 1 });
    recordFailure(home.runs, HOSTILE, { ...RUN, exitCode: 42 });
  },
  many: async (home) => {
    for (let number = 0; number < 500; number += 1) await home.repository(`mirror-${number}`, { a: 'b' }, 2, 200);
    for (let number = 0; number < 26; number += 1)
      home.peer(`peer-${number}`, `zone${number % 4}`, { usedBytes: number * 4, freeBytes: 100 - number * 4 });
  },
};

describe('the status page', { skip: onlyInAll(path === undefined ? 'no chromium' : false) }, () => {
  let chromium: Chromium;
  before(async () => {
    chromium = await Chromium.start(path as string);
  });
  after(() => chromium.close());

  async function opened(url: string, look: Parameters<Chromium['open']>[1]): Promise<Page> {
    while (!(await (await fetch(url)).text()).includes('class="facts"')) await new Promise((resolve) => setTimeout(resolve, 20));
    return await chromium.open(url, look);
  }

  for (const [name, fill] of Object.entries(HOMES)) {
    test(`${name}: fits, is readable, and nothing goes wrong in it`, async () => {
      const home = new StatusHome();
      try {
        await fill(home);
        const url = await home.listen();
        for (const width of [1280, 390]) {
          for (const scheme of ['light', 'dark'] as const) {
            const page = await opened(url, { width, scheme });
            assert.equal(
              await page.value('document.documentElement.scrollWidth <= innerWidth'),
              true,
              `${width} ${scheme}: wider than the window`,
            );
            assert.ok((await page.value<number>(LOWEST_CONTRAST)) >= 4.5, `${width} ${scheme}: ${await page.value(LOWEST_CONTRAST)}`);
            assert.equal(await page.value('document.title'), 'shardctl');
            assert.equal(await page.value('document.querySelectorAll("img").length'), 0);
            assert.deepEqual(page.errors, []);
            if (pictures !== undefined) await page.picture(join(pictures, `${name}-${width}-${scheme}.png`));
            await page.close();
          }
        }
      } finally {
        await home.close();
      }
    });
  }

  test('a run shows as it goes on, a change comes into the page, and what was opened stays open', async () => {
    const home = new StatusHome();
    try {
      await HOMES.usual?.(home);
      const url = await home.listen();
      const page = await opened(url, { width: 1280 });
      await page.value(`document.querySelector('details').open = true`);
      const state = { words: 'update', repository: 'debian', sealed: 0, placed: 0, placedBytes: 0, problems: 0 };
      const run = {
        pid: 1,
        host: 'h',
        scope: '',
        started: '',
        command: 'shardctl update',
        at: '2026-11-26T11:59:00.000Z',
        updated: home.now,
      };
      for (const files of [100, 900]) {
        const more = { scanned: { files: 1000, bytes: 1000, done: true }, imported: { files, bytes: files } };
        home.running = [{ ...run, state: { ...state, ...more } }];
        await page.until(`document.querySelector('#running .meta')?.textContent.includes('${files} of')`);
        assert.equal(await page.value(`document.querySelector('#running .bar rect:last-child').getAttribute('width')`), `${files / 10}`);
      }
      home.running = [];
      await home.repository('zebra', { a: 'b' });
      home.changed();
      await page.until(`document.body.textContent.includes('zebra') && document.querySelector('#running').textContent === ''`);
      assert.equal(await page.value(`document.querySelector('details').open`), true);
      assert.deepEqual(page.errors, []);
      await page.close();
    } finally {
      await home.close();
    }
  });

  test('without scripts it says the same', async () => {
    const home = new StatusHome();
    try {
      await HOMES.usual?.(home);
      const url = await home.listen();
      const page = await opened(url, { width: 390, scripts: false });
      assert.match(await page.value<string>('document.body.innerText'), /Peer b2 does not answer[\s\S]*debian/);
      assert.equal(await page.value(`getComputedStyle(document.querySelector('button')).display`), 'none');
      await page.close();
    } finally {
      await home.close();
    }
  });
});

/** The least contrast of a text with what is behind it, as WCAG counts it. */
const LOWEST_CONTRAST = `(() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const behind = element => { for (let e = element; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let least = 21;
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('svg,script') || ![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    least = Math.min(least, (a + .05) / (b + .05));
  }
  return Math.round(least * 100) / 100;
})()`;
