/** Many shards of the same two nodes, compared by sums over groups of them: only groups that differ are looked into. Method `shard/compare-many`. */
import { compareBytes, concatBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { array, bytes, decodeAs, struct, u64, uint, type Typed } from '../shape.ts'

/** Fewer are compared one by one. */
export const manyShardsMin = 64
const groupBytes = 8
const groupsMax = 4_096
/** Bytes of one shard in a comparison. */
const shardBytes = 88
const askShape = struct({ until: u64, power: uint(12), sums: bytes(groupBytes, groupBytes * groupsMax) })
export type ManyAsk = Typed<typeof askShape>

export function encodeManyAsk({ until, power, sums }: ManyAsk): Uint8Array {
  return encode([until, power, sums])
}

export function decodeManyAsk(body: Uint8Array): ManyAsk {
  const ask = decodeAs(askShape, body, 'many shards')
  if (ask.sums.length !== groupBytes * 2 ** ask.power)
    throw new OnehopError('BAD_MESSAGE', 'many shards: as many sums as groups')
  return ask
}

/** The groups that differ, ascending. */
export function encodeManyAnswer(groups: readonly number[]): Uint8Array {
  return encode(groups)
}

export function decodeManyAnswer(body: Uint8Array): number[] {
  return decodeAs(array(uint(groupsMax - 1), groupsMax), body, 'many shards')
}

/** 2 to this power are the groups for which so many shards cost least, one of which differs: root of shards times shard / group bytes. */
export function groupsPower(shards: number): number {
  return Math.min(12, Math.max(0, Math.round(Math.log2(Math.sqrt((shards * shardBytes) / groupBytes)))))
}

/** By the first bits of its name. */
export function groupOf(owner: Uint8Array, power: number): number {
  const first = new DataView(owner.buffer, owner.byteOffset).getUint32(0)
  return power === 0 ? 0 : first >>> (32 - power)
}

export interface ShardState {
  readonly owner: Uint8Array
  readonly set: Uint8Array | undefined
  readonly fingerprint: Uint8Array
}

/** One sum after the other, each the beginning of SHA-256 over names, sets and fingerprints of its shards, ascending by name. */
export function groupSums(
  { sha256 }: Pick<CryptoProvider, 'sha256'>,
  shards: readonly ShardState[],
  power: number,
): Uint8Array {
  const groups = Array.from({ length: 2 ** power }, (): ShardState[] => [])
  for (const shard of shards) groups[groupOf(shard.owner, power)]?.push(shard)
  const none = new Uint8Array(32)
  return concatBytes(
    ...groups.map((group) => {
      const inOrder = group.toSorted((a, b) => compareBytes(a.owner, b.owner))
      const all = inOrder.flatMap(({ owner, set, fingerprint }) => [owner, set ?? none, fingerprint])
      return sha256(concatBytes(...all)).subarray(0, groupBytes)
    }),
  )
}

/** Which of them are not the same. */
export function differingGroups(a: Uint8Array, b: Uint8Array): number[] {
  const groups: number[] = []
  for (let at = 0; at < a.length; at += groupBytes)
    if (compareBytes(a.subarray(at, at + groupBytes), b.subarray(at, at + groupBytes)) !== 0)
      groups.push(at / groupBytes)
  return groups
}
