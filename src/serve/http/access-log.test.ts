import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LogFormat, logAnswer } from './access-log.ts';

interface Asked {
  readonly url?: string;
  readonly method?: string;
  readonly isWhole?: boolean;
  readonly headers?: Record<string, string>;
}

/** The line of a request that came at 2000-10-10 13:55:36 and took a second and a half. */
function lineOf(format: LogFormat, { url = '/a', method = 'GET', isWhole = true, headers = {} }: Asked = {}): string {
  const lines: string[] = [];
  const times = [Date.UTC(2000, 9, 10, 13, 55, 36), Date.UTC(2000, 9, 10, 13, 55, 37, 500)];
  const request = { method, url, httpVersion: '1.1', headers, socket: { remoteAddress: '192.0.2.7' } };
  const response = Object.assign(new EventEmitter(), { statusCode: 200, writableFinished: isWhole, getHeader: () => '12' });
  logAnswer({ format, write: (line) => void lines.push(line), now: () => times.shift() as number }, request as never, response as never);
  assert.equal(lines.length, 0, 'nothing before the end');
  response.emit('close');
  assert.equal(lines.length, 1);
  return lines[0] as string;
}

test('the common format has what others read, and no bytes for an answer that was cut or has no body', () => {
  const line = '192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200';
  assert.equal(lineOf('common'), `${line} 12`);
  assert.equal(lineOf('common', { isWhole: false }), `${line} -`);
  assert.equal(lineOf('common', { method: 'HEAD' }), `${line.replace('GET', 'HEAD')} -`);
});

test('whatever is asked for, a line is one line of printable ASCII, and a field one field', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (url) => {
      assert.match(lineOf('common', { url }), /^192\.0\.2\.7 - - \[[^\]]+\] "GET [^"\\]*(\\x[0-9a-f]{2,4}[^"\\]*)*" 200 12$/);
      assert.match(lineOf('common', { url }), /^[ -~]*$/);
      const json = lineOf('json', { url });
      assert.ok(!json.includes('\n'));
      assert.equal(JSON.parse(json).url, url);
    }),
  );
});

test('JSON says how long it took and whether all of it was sent; what a client proves who it is with is in neither', () => {
  const headers = { 'user-agent': 'apt', authorization: 'Bearer secret', cookie: 'secret' };
  const record = JSON.parse(lineOf('json', { headers, isWhole: false }));
  assert.deepEqual([record.seconds, record.complete, record.agent, record.client], [1.5, false, 'apt', '192.0.2.7']);
  for (const format of ['common', 'json'] as const) assert.doesNotMatch(lineOf(format, { headers }), /secret/);
});
