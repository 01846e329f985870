import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownContacts } from './known-contacts.ts';
import { type Client, Providers } from './providers.ts';

function clientAt(socket: Readonly<Record<string, unknown>>): Client {
  return { headers: { host: 'evil.example' }, socket } as unknown as Client;
}

test('this server is where its client has reached it, whatever the Host header says', () => {
  const providers = new Providers({ announced: undefined, home: 'h' }, new KnownContacts());
  const addressesAt = (socket: Readonly<Record<string, unknown>>) => providers.itself(clientAt(socket)).Addrs;
  assert.deepEqual(addressesAt({ localAddress: '::ffff:192.168.1.2', localPort: 8080 }), ['/ip4/192.168.1.2/tcp/8080/http']);
  const tls = { localAddress: '203.0.113.5', localPort: 443, encrypted: true };
  assert.deepEqual(addressesAt({ ...tls, servername: 'mirror.example' }), ['/dns/mirror.example/tcp/443/tls/http']);
  for (const servername of [false, 'a/b', 'a b', ''])
    assert.deepEqual(addressesAt({ ...tls, servername }), ['/ip4/203.0.113.5/tcp/443/tls/http']);
  assert.deepEqual(addressesAt({}), []);
});

test('its ID is the same each time, and another one for another home or address', () => {
  const idOf = (home: string, address: string) =>
    new Providers({ announced: [address], home }, new KnownContacts()).itself(clientAt({})).ID;
  assert.equal(idOf('a', '/dns/x/tcp/443/tls/http'), idOf('a', '/dns/x/tcp/443/tls/http'));
  assert.equal(
    new Set([idOf('a', '/dns/x/tcp/443/tls/http'), idOf('b', '/dns/x/tcp/443/tls/http'), idOf('a', '/dns/y/tcp/443/tls/http')]).size,
    3,
  );
});
