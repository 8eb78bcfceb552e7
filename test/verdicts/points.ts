/**
 * Points of the curve whose place in the group is known: P = scalar B + torsion T, with B the base point and T a
 * point of order 8. Who knows that of every point decides the equation of a signature with whole numbers alone.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { toHex } from '../../protocol/bytes.ts'
import type { SeededRandom } from '../support/seeded-random.ts'

const { Point } = ed25519

/** 2^252 + 27742317777372353535851937790883648493, as RFC 8032 has it. */
export const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n

export interface KnownPoint {
  readonly bytes: Uint8Array
  /** 0 <= scalar < group order. */
  readonly scalar: bigint
  /** 0 to 7. */
  readonly torsion: number
}

/** Of order 8: that no smaller multiple of it is the neutral point is tested. */
export const torsionPoint = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

export class Points {
  /** `drawn[i][t]` is scalar i times B, plus t T. */
  readonly drawn: readonly (readonly KnownPoint[])[]
  /** The eight points of small order. */
  readonly small: readonly KnownPoint[]
  readonly #known = new Map<string, KnownPoint>()

  constructor(random: SeededRandom, count: number) {
    this.small = this.#coset(0n)
    this.drawn = Array.from({ length: count }, () => this.#coset(drawScalar(random)))
  }

  /** Undefined for bytes that are no point of these, or are one in another encoding. */
  find(bytes: Uint8Array): KnownPoint | undefined {
    return this.#known.get(toHex(bytes))
  }

  #coset(scalar: bigint): KnownPoint[] {
    const prime = Point.BASE.multiplyUnsafe(scalar)
    return Array.from({ length: 8 }, (_, torsion) => {
      const point = prime.add(torsionPoint.multiplyUnsafe(BigInt(torsion)))
      const known = { bytes: point.toBytes(), scalar, torsion }
      // The point on the other side is one flipped bit away.
      const other = {
        bytes: point.negate().toBytes(),
        scalar: modulo(-scalar),
        torsion: (8 - torsion) % 8,
      }
      for (const each of [known, other]) this.#known.set(toHex(each.bytes), each)
      return known
    })
  }
}

export function modulo(value: bigint): bigint {
  return ((value % groupOrder) + groupOrder) % groupOrder
}

/** Never 0. */
export function drawScalar(random: SeededRandom): bigint {
  return 1n + (numberOf(random.bytes(40)) % (groupOrder - 1n))
}

export function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${toHex(littleEndian.toReversed()) || '0'}`)
}

/** 32 bytes, least significant first; what does not fit is cut off. */
export function bytesOf(value: bigint): Uint8Array {
  const hex = BigInt.asUintN(256, value).toString(16).padStart(64, '0')
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(62 - 2 * i, 64 - 2 * i), 16))
}
