/**
 * 10,000 records (`--records N`, once) of one author to an empty second process, from the moment the owner's signed replica set is handed
 * to the home until every record was verified, is on the other's disk and was read back there. Bytes are those of
 * all TCP connections of the second process, both ways, over the encoded records. The limit is libsodium alone,
 * verifying the same signatures on one thread; it runs before and after.
 */
import sodium from 'sodium-native'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import { apiLimits } from '../../../protocol/api/limits.ts'
import { Author } from '../author.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'
import { timesVerifying } from '../times-verifying.ts'
import { startTwoPeers } from '../two-peers.ts'

const usual = 10_000
export const takes = ['records'] as const

export async function bench({ folder, note, records: total = usual }: BenchContext): Promise<BenchResult> {
  const rounds = total === usual ? 3 : 1
  const crypto = await loadCrypto()
  const seconds: number[] = []
  const limits: number[] = []
  const shares: number[] = []
  let recordBytes = 0
  for (let round = 0; round < rounds; round++) {
    const author = new Author(crypto)
    const records = Array.from({ length: total }, () => author.post())
    const encodedBytes = records.reduce((sum, { length }) => sum + length, 0)
    recordBytes = encodedBytes / total
    await using peers = await startTwoPeers(`${folder}/${round}`, crypto, author)
    const { home, other } = peers
    for (let at = 0; at < total; at += apiLimits.recordsPerPutMax) {
      const { results } = await home.call('record.put', {
        records: records.slice(at, at + apiLimits.recordsPerPutMax),
      })
      if (results.some(({ outcome }) => outcome !== 'stored')) throw new Error('not stored at home')
    }
    const before = verifySeconds(crypto, records)
    // Greeted and leased, so that what is measured is the copying.
    const bytesBefore = await other.ask({ ask: 'socketBytes' })
    const startNs = await peers.place()
    const held = await other.ask({ ask: 'held', owner: author.id, records: total })
    const bytesAfter = await other.ask({ ask: 'socketBytes' })
    if (new Set(held.map(({ id }) => id)).size !== total) throw new Error('not every record came')
    const tookS = Number((held.at(-1)?.atNs ?? 0n) - startNs) / 1e9
    const wireBytes = bytesAfter.read + bytesAfter.written - bytesBefore.read - bytesBefore.written
    seconds.push(tookS)
    shares.push(wireBytes / encodedBytes)
    limits.push((before + verifySeconds(crypto, records)) / 2)
    note(`round ${round + 1}: ${tookS.toFixed(2)} s, ${(wireBytes / total).toFixed(0)} bytes a record`)
  }
  return {
    judged: {
      replicateS: {
        figure: median(seconds),
        limit: median(limits),
        atMost: timesVerifying(0.8, total),
      },
      wireBytesPerEncodedByte: { figure: median(shares), limit: 1, atMost: 1.1 },
    },
    figures: { records: total, recordBytes, recordsPerS: total / median(seconds) },
    packages: ['libp2p', 'classic-level', 'sodium-native'],
  }
}

function verifySeconds(
  crypto: Awaited<ReturnType<typeof loadCrypto>>,
  records: readonly Uint8Array[],
): number {
  const signed = records.map((bytes) => decodeRecord(crypto, bytes))
  const startMs = performance.now()
  for (const { message, signature, header } of signed)
    if (!sodium.crypto_sign_verify_detached(signature, message, header.device)) throw new Error('not signed')
  return (performance.now() - startMs) / 1000
}
