/** Makes lease.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { limits } from '../../protocol/limits.ts'
import { signLease, signLeaseAsk, type Lease } from '../../protocol/placement/lease.ts'
import { writtenMs } from '../support/people.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { plain } from './record.ts'
import { framing, invalidCases, raw, type InvalidCase, type Wire } from './wire.ts'

export interface LeaseVectors {
  readonly about: string
  readonly valid: readonly {
    readonly name: string
    readonly bytes: string
    /** Of the host. */
    readonly seed: string
    readonly value: unknown
  }[]
  readonly unsigned: readonly { readonly name: string; readonly bytes: string }[]
  readonly invalid: readonly InvalidCase[]
}

export function leaseVectors(): LeaseVectors {
  const random = createSeededRandom(0x1ea5e)
  const crypto = nodeCrypto((length) => random.bytes(length))
  const [seed, homeSeed, owner] = [random.bytes(32), random.bytes(32), random.bytes(32)]
  const [host, home] = [crypto.signingPublicKey(seed), crypto.signingPublicKey(homeSeed)]
  const lease: Lease = {
    host,
    owner,
    shard: owner,
    home,
    askedBytes: 40_000_000,
    askedMs: 0,
    bytes: 50_000_000,
    largestRecordBytes: limits.recordBytesMax,
    bytesPerDay: 100_000_000,
    expiresMs: writtenMs,
  }
  const most = Number.MAX_SAFE_INTEGER
  const none = { askedBytes: 0, askedMs: 0, bytes: 0, largestRecordBytes: 0, bytesPerDay: 0 }
  const valid: Record<string, Lease> = {
    'fifty megabytes': lease,
    'nothing, and long over its time': { ...lease, ...none, expiresMs: 0 },
    'the largest numbers': {
      ...lease,
      ...{ askedBytes: most, askedMs: most, bytes: most, largestRecordBytes: most, bytesPerDay: most, expiresMs: most },
    },
  }
  const asked = signLeaseAsk(crypto, lease, homeSeed)
  const items: readonly unknown[] = [
    contexts.lease,
    1,
    host,
    owner,
    owner,
    home,
    lease.askedBytes,
    lease.askedMs,
    asked,
    lease.bytes,
    lease.largestRecordBytes,
    lease.bytesPerDay,
    lease.expiresMs,
  ]
  const document = encode(items)
  const signature = crypto.sign(signedMessage(contexts.lease, document), seed)
  const unsigned: Record<string, Uint8Array> = {
    'the home signs for the host': signLease(crypto, lease, asked, homeSeed),
    'the host asks itself': signLease(crypto, lease, signLeaseAsk(crypto, lease, seed), seed),
    'the home asked for days': signLease(
      crypto,
      lease,
      signLeaseAsk(crypto, { ...lease, askedMs: 86_400_000 }, homeSeed),
      seed,
    ),
    'the home asked for less': signLease(
      crypto,
      lease,
      signLeaseAsk(crypto, { ...lease, askedBytes: 1 }, homeSeed),
      seed,
    ),
    'a signature of zeros': encode([document, new Uint8Array(64)]),
    'one byte more than was signed': encode([encode(items.with(9, lease.bytes + 1)), signature]),
    'a longer time than was signed': encode([encode(items.with(12, most)), signature]),
    'another host than signed': encode([encode(items.with(2, home)), signature]),
    'signed for another purpose': encode([
      document,
      crypto.sign(signedMessage(contexts.replicaSet, document), seed),
    ]),
    'signed without its context': encode([document, crypto.sign(document, seed)]),
  }
  const signed = (bytes: Uint8Array): Wire =>
    raw(encode([bytes, crypto.sign(signedMessage(contexts.lease, bytes), seed)]))
  const changed = (at: number, value: unknown): Wire => signed(encode(items.with(at, value)))
  return {
    about:
      'what hosts promise; bytes in hex. Unsigned ones are leases, but not of the host that they name. ' +
      'Whether a lease is over its time is for whoever has a clock',
    valid: Object.entries(valid).map(([name, value]) => ({
      name,
      bytes: toHex(signLease(crypto, value, signLeaseAsk(crypto, value, homeSeed), seed)),
      seed: toHex(seed),
      value: plain(value),
    })),
    unsigned: Object.entries(unsigned).map(([name, bytes]) => ({ name, bytes: toHex(bytes) })),
    invalid: invalidCases({
      ...framing(signLease(crypto, lease, asked, seed)),
      'another context': changed(0, contexts.replicaSet),
      'version of tomorrow': changed(1, 2),
      'a host of 31 bytes': changed(2, host.subarray(1)),
      'no owner': changed(3, null),
      'a shard of 33 bytes': changed(4, new Uint8Array(33)),
      'a home in hex': changed(5, toHex(home)),
      'half a byte asked': changed(6, 0.5),
      'no time asked': changed(7, null),
      'an ask that nobody signed': changed(8, null),
      'an ask signed with 63 bytes': changed(8, asked.subarray(1)),
      'fewer than no bytes': changed(9, -1),
      'half a byte': changed(9, 0.5),
      'bytes beyond 2^53': changed(9, 2n ** 53n),
      'no largest record': changed(10, null),
      'no bytes per day': changed(11, null),
      'an expiry in words': changed(12, '2026'),
      'one item too many': signed(encode([...items, null])),
      'one item too few': signed(encode(items.slice(0, -1))),
      'a document that is not the shortest CBOR': signed(
        concatBytes(Uint8Array.of(0x98, items.length), document.subarray(1)),
      ),
      'a document with a byte behind it': signed(concatBytes(document, new Uint8Array(1))),
      'a document of no bytes': signed(new Uint8Array()),
      'a document that is not wrapped in bytes': raw(encode([items, signature])),
      'no signature': raw(encode([document])),
      'null for a signature': raw(encode([document, null])),
      'a signature of 63 bytes': raw(encode([document, signature.subarray(1)])),
      'two signatures': raw(encode([document, signature, signature])),
    }),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(leaseVectors(), undefined, 1)}\n`
  writeFileSync(new URL('lease.json', import.meta.url), text)
}
