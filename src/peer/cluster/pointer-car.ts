/**
 * Where a pin is allocated, said in one request. `POST /pins/{cid}` keeps the allocations that are there, adds to them when the
 * least replicas rise, and drops any of them (Go's map order) when the most replicas fall, so it cannot take a shard from one
 * certain member. `POST /add?format=car` sets the allocations to what it was asked for, and it does not mind a CAR that holds only
 * a part of the DAG below its root ("people are uploading CAR files with partial DAGs", adder/single in IPFS Cluster 1.1.6).
 * So a CAR with the shard as root and one empty block moves the pin: seen to unpin on those left out, and to leave the pin of the
 * others as it is.
 */

import { RAW } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { carHeader, sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';

/** A CAR of about a hundred bytes whose root is the shard. It must hold a block: without any, the Cluster chooses no members. */
export function pointerCar(cid: string): Buffer {
  const empty = Buffer.alloc(0);
  const section = Buffer.alloc(sectionHeaderBytes(0));
  writeSectionHeader(section, 0, RAW, sha256(empty), 0, 0);
  return Buffer.concat([carHeader(parseCid(cid)), section]);
}
