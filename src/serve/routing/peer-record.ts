/** Records of the peer schema of delegated routing, and the filters of IPIP-484. */

export interface PeerRecord {
  readonly Schema: 'peer';
  /** Peer ID. */
  readonly ID: string;
  /** Multiaddrs. */
  readonly Addrs: readonly string[];
  readonly Protocols: readonly string[];
}

export const HTTP_PROTOCOL = 'transport-ipfs-gateway-http';
export const BITSWAP_PROTOCOL = 'transport-bitswap';

/** What a client can use of the records. Absent filters let everything through. */
export interface RecordFilters {
  readonly addresses: readonly string[];
  readonly protocols: readonly string[];
}

export function filtersOf(query: URLSearchParams): RecordFilters {
  return { addresses: listIn(query.get('filter-addrs')), protocols: listIn(query.get('filter-protocols')) };
}

function listIn(text: string | null): string[] {
  return text === null || text === '' ? [] : text.toLowerCase().split(',');
}

/** The record with the addresses that pass; undefined when nothing of it does. */
export function filtered(record: PeerRecord, { addresses, protocols }: RecordFilters): PeerRecord | undefined {
  const isUnknown = record.Protocols.length === 0 && protocols.includes('unknown');
  const isWanted = protocols.length === 0 || isUnknown || record.Protocols.some((protocol) => protocols.includes(protocol));
  if (!isWanted) return undefined;
  if (addresses.length === 0 || (record.Addrs.length === 0 && addresses.includes('unknown'))) return record;
  const unwanted = addresses.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
  const wanted = addresses.filter((name) => !name.startsWith('!'));
  const Addrs = record.Addrs.filter((address) => {
    const names = address.toLowerCase().split('/');
    return !unwanted.some((name) => names.includes(name)) && (wanted.length === 0 || wanted.some((name) => names.includes(name)));
  });
  return Addrs.length === 0 ? undefined : { ...record, Addrs };
}
