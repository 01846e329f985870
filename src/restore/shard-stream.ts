import type { GatewayLimits } from '../gateway/failure.ts';
import type { GatewayAddress } from '../gateway/request.ts';
import type { ShardBytes } from '../peer/peer.ts';

/** How a shard can be read as one stream: from a peer of this home, or as its UnixFS file from trustless gateways, whichever of them does. */
export type ShardStream =
  | ShardBytes
  | { readonly form: 'gateways'; readonly addresses: readonly GatewayAddress[]; readonly limits?: GatewayLimits | undefined };
