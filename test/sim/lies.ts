import {
  decodeComparison,
  decodePush,
  encodeCompared,
  encodeReceipts,
} from '../../protocol/replication/messages.ts'

/** It finds every shard equal to its own, keeps all that it is sent, and proves it with bytes that say nothing. */
export function lieOfHolders(method: string, body: Uint8Array): Uint8Array | undefined {
  switch (method) {
    case 'shard/compare':
      return encodeCompared(decodeComparison(body).shards.map(() => ({ records: 'equal', sameSet: true })))
    case 'shard/push':
      return encodeReceipts(decodePush(body).map(() => 'held'))
    case 'shard/audit':
      return new Uint8Array(40).fill(7)
    default:
      return undefined
  }
}
