/** Bytes for replica-set.json that are no replica set or no chain, whoever signed them. */
import { concatBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts } from '../../protocol/context.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import {
  packReplicaSet,
  signReplicaSet,
  type SignedReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { packed, type Holders } from './replica-set-holders.ts'
import { arrayOf, framing, raw, Wire, zeros } from './wire.ts'

/** Documents that no release of ours writes, signed all the same: only the decoder stands against them. */
export function malformedSets(
  crypto: CryptoProvider,
  { device, seat }: Holders,
  good: SignedReplicaSet,
): Readonly<Record<string, Wire>> {
  const { owner, shard, copies, expiresMs } = good
  const { node, addresses, operator, region } = seat(0)
  const home: readonly unknown[] = [node, 0, addresses, operator, region]
  const items: readonly unknown[] = [
    contexts.replicaSet,
    1,
    owner,
    shard,
    1,
    0,
    null,
    [home],
    [],
    copies,
    expiresMs,
  ]
  const signed = (document: Uint8Array): Wire =>
    raw(packReplicaSet(document, [signReplicaSet(crypto, document, device)]))
  const changed = (at: number, value: unknown): Wire => signed(encode(items.with(at, value)))
  const homeWith = (at: number, value: unknown): Wire => changed(7, [home.with(at, value)])
  const seventeen = Array.from({ length: limits.replicaSetMembersMax + 1 }, (_, n) =>
    home.with(0, new Uint8Array(32).fill(n)),
  )
  const { key, signature } = good.signatures[0] as { key: Uint8Array; signature: Uint8Array }
  const signatures = (...list: unknown[]): Wire => raw(encode([good.document, list]))
  return {
    ...framing(packed(good)),
    'another context': changed(0, contexts.lease),
    'version of tomorrow': changed(1, 2),
    'a short owner': changed(2, owner.subarray(1)),
    'no shard': changed(3, null),
    'an epoch before the first': changed(4, -1),
    'a step beyond 2^53': changed(5, 2n ** 53n),
    'a predecessor of no bytes': changed(6, new Uint8Array()),
    'no members': changed(7, []),
    'a node seated twice': changed(7, [home, home.with(1, 1)]),
    'seventeen members': changed(7, seventeen),
    'seventeen that stand by': changed(8, seventeen),
    'null for nobody who stands by': changed(8, null),
    'seventeen copies': changed(9, limits.replicaSetMembersMax + 1),
    'half a copy': changed(9, 0.5),
    'an expiry in words': changed(10, '2026'),
    'a node of 31 bytes': homeWith(0, node.subarray(1)),
    'an unknown role': homeWith(1, 3),
    'a role in words': homeWith(1, 'home'),
    'nine addresses': homeWith(
      2,
      Array.from({ length: limits.addressesPerNodeMax + 1 }, () => '/ip4/192.0.2.1'),
    ),
    'an address of 257 bytes': homeWith(2, ['a'.repeat(257)]),
    'an operator of 65 bytes': homeWith(3, 'o'.repeat(limits.nameBytesMax + 1)),
    'a region of 257 bytes': homeWith(4, 'r'.repeat(limits.scopeBytesMax + 1)),
    'a seat without a region': changed(7, [home.slice(0, -1)]),
    'one item too many': signed(encode([...items, null])),
    'one item too few': signed(encode(items.slice(0, -1))),
    'a document that is not the shortest CBOR': signed(
      concatBytes(Uint8Array.of(0x98, items.length), good.document.subarray(1)),
    ),
    'a document with a byte behind it': signed(concatBytes(good.document, new Uint8Array(1))),
    'a document cut short': signed(good.document.subarray(0, -1)),
    'a document of no bytes': signed(new Uint8Array()),
    'a document that is not wrapped in bytes': raw(encode([items, []])),
    'more than twice 64 KiB': zeros(limits.replicaSetBytesMax * 2, 'TOO_LARGE', Uint8Array.of(0x82)),
    'no list of signatures': raw(encode([good.document])),
    'a signature of 63 bytes': signatures([key, signature.subarray(1)]),
    'a key of 31 bytes': signatures([key.subarray(1), signature]),
    'a signature without its key': signatures([signature]),
    'null for a signature': signatures([key, null]),
    'seventeen signatures': signatures(...Array.from({ length: 17 }, () => [key, signature])),
  }
}

export function malformedChains(good: SignedReplicaSet): Readonly<Record<string, Wire>> {
  const set = packed(good)
  return {
    ...framing(encode([set])),
    'no set': raw(encode([])),
    'a set of no bytes': raw(encode([new Uint8Array()])),
    'null for a set': raw(encode([null])),
    'a set that is not wrapped in bytes': raw(encode([[good.document, []]]), 'TOO_LARGE'),
    'a broken set behind a good one': raw(encode([set, set.subarray(0, -1)])),
    'a set more than sixteen': new Wire(arrayOf(limits.replicaSetStepsMax + 1, set).spelled, 'TOO_LARGE'),
  }
}
