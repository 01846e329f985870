/**
 * A pointer: a CAR that sets the allocations of a pin in one request. `POST /pins/{cid}` cannot take a shard from one certain member: it
 * keeps the allocations that are there, adds some when the least number of replicas rises, and drops any (Go's map order) when the most
 * falls. `POST /add?format=car` sets the allocations to those it was asked for, and it accepts a CAR with only a part of the DAG below its
 * root ("people are uploading CAR files with partial DAGs", adder/single in IPFS Cluster 1.1.6). So a CAR with the shard as its root and
 * one empty block moves the pin. Seen with 1.1.6: members that are left out unpin, and the pins of the others are not touched.
 */
import { RAW } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { carHeader, sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';

/** A CAR of about a hundred bytes whose root is the shard. It must hold a block: without one the Cluster chooses no members. */
export function pointerCar(cid: string): Buffer {
  const empty = Buffer.alloc(0);
  const section = Buffer.alloc(sectionHeaderBytes(0));
  writeSectionHeader(section, 0, RAW, sha256(empty), 0, 0);
  return Buffer.concat([carHeader(parseCid(cid)), section]);
}
