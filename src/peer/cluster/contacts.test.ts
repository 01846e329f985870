import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { withoutId } from '../multiaddrs.ts';
import type { ClusterApi } from './api.ts';
import { identity } from './api-answers.ts';
import { Contacts } from './contacts.ts';

const KUBO = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';

test('addresses lose the peer ID at their end, and nothing else', () => {
  assert.deepEqual(
    withoutId([
      `/ip4/10.0.0.1/tcp/4001/p2p/${KUBO}`,
      `/ip4/10.0.0.1/tcp/4001/p2p/${KUBO}`,
      `/ip4/1.2.3.4/tcp/4001/p2p/QmRelay/p2p-circuit/p2p/${KUBO}`,
      '/ip6/::1/udp/4001/quic-v1',
      7,
    ]),
    ['/ip4/10.0.0.1/tcp/4001', '/ip4/1.2.3.4/tcp/4001/p2p/QmRelay/p2p-circuit', '/ip6/::1/udp/4001/quic-v1'],
  );
  for (const none of [null, undefined, 'text', {}]) assert.deepEqual(withoutId(none), []);
});

/** @param lines of `/peers` @param end what the list ends with */
function contactsOf(lines: readonly unknown[], end: () => Promise<void> = async () => {}) {
  let asked = 0;
  const api = {
    async *identities() {
      asked++;
      for (const line of lines) yield identity.parse(line);
      await end();
    },
  };
  return { contacts: new Contacts(api as unknown as ClusterApi), asked: () => asked };
}

const WELL = { id: 'member', ipfs: { id: KUBO, addresses: [`/ip4/10.0.0.1/tcp/4001/p2p/${KUBO}`] } };
const DOWN = { id: 'other', error: '', ipfs: { id: '', addresses: null, error: 'connection refused' } };

test('members whose Kubo answers have a contact, and peers that ask at once share the answer', async () => {
  const { contacts, asked } = contactsOf([WELL, DOWN, { id: 'gone', error: 'dial backoff' }]);
  const [all] = await Promise.all([contacts.all(), contacts.all()]);
  assert.deepEqual([...all], [['member', { id: KUBO, addresses: ['/ip4/10.0.0.1/tcp/4001'] }]]);
  assert.equal(asked(), 1);
});

test('a member that hangs or fails at the end of the list takes no other along', async () => {
  const failing = contactsOf([WELL], () => Promise.reject(new Error('no answer')));
  assert.equal((await failing.contacts.all()).size, 1);
  await assert.rejects(contactsOf([], () => Promise.reject(new Error('no answer'))).contacts.all());
  mock.timers.enable({ apis: ['setTimeout'] });
  const hanging = contactsOf([WELL], () => new Promise(() => {})).contacts.all();
  await new Promise(setImmediate);
  mock.timers.runAll();
  assert.equal((await hanging).size, 1);
  mock.timers.reset();
});
