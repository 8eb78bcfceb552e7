/**
 * Odd signatures without end: the case of a seed and an index is the same on every machine. Each kind is a way in
 * which libraries are known to differ, or in which somebody could make them differ.
 */
import { concatBytes, emptyBytes } from '../../protocol/bytes.ts'
import { createSeededRandom, type SeededRandom } from '../support/seeded-random.ts'
import { bytesOf, drawScalar, groupOrder, type KnownPoint, modulo, numberOf, Points } from './points.ts'
import { challenge, wideChallenge } from './rule.ts'

export interface OddCase {
  readonly kind: string
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly key: Uint8Array
}

const fieldPrime = 2n ** 255n - 19n

/** Points of a seed; three thousand pairs of A and R with all their torsion, made in a fifth of a second. */
const pointsDrawn = 24

export class OddCases {
  readonly points: Points
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.points = new Points(createSeededRandom(seed), pointsDrawn)
  }

  at(index: number): OddCase {
    // An odd factor: no two indexes of one seed share their numbers.
    const draw = new Draw(
      createSeededRandom((this.#seed + Math.imul(index + 1, 0x9e3779b1)) | 0),
      this.points,
    )
    const kind = kinds[draw.below(kinds.length)] as (typeof kinds)[number]
    return { kind: kind.name, ...kind.make(draw) }
  }
}

class Draw {
  readonly random: SeededRandom
  readonly points: Points

  constructor(random: SeededRandom, points: Points) {
    this.random = random
    this.points = points
  }

  below(count: number): number {
    return Math.floor(this.random.next() * count)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  message(): Uint8Array {
    // Short ones most of the time; around SHA-512's block of 128 bytes the rest.
    return this.random.bytes(this.below(4) === 0 ? 40 + this.below(120) : this.below(8))
  }

  /** Without torsion unless told so. */
  point(torsion = 0): KnownPoint {
    return this.pick(this.points.drawn)[torsion] as KnownPoint
  }
}

type Parts = Omit<OddCase, 'kind'>

/** S as the owner of both scalars computes it: right, but for the torsion. */
function signed(a: KnownPoint, r: KnownPoint, message: Uint8Array): Parts {
  const s = modulo(r.scalar + challenge(r.bytes, a.bytes, message) * a.scalar)
  return { message, key: a.bytes, signature: concatBytes(r.bytes, bytesOf(s)) }
}

/** The torsion of R makes up for that of h A, with h as somebody might understand it. */
function cancelling(draw: Draw, understood: (h: bigint) => bigint): Parts {
  const a = draw.point(1 + draw.below(7))
  const r = draw.pick(draw.points.drawn)
  for (;;) {
    const message = draw.random.bytes(8)
    const fitting = r.find(({ bytes, torsion }) => {
      const h = Number(understood(wideChallenge(bytes, a.bytes, message)) % 8n)
      return (torsion + h * a.torsion) % 8 === 0
    })
    // Two of three messages have one.
    if (fitting !== undefined) return signed(a, fitting, message)
  }
}

function honest(draw: Draw): Parts {
  return signed(draw.point(), draw.point(), draw.message())
}

/** One to three bits of bytes that are as long as a signature, a key or a message. */
function flipped(draw: Draw, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(draw.below(256))
  const changed = bytes.slice()
  for (let flips = 1 + draw.below(3); flips > 0; flips--) {
    const bit = draw.below(8 * bytes.length)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
  }
  return changed
}

function withS(signature: Uint8Array, s: bigint): Uint8Array {
  return concatBytes(signature.subarray(0, 32), bytesOf(s))
}

function withR(signature: Uint8Array, r: Uint8Array): Uint8Array {
  return concatBytes(r, signature.subarray(32))
}

/** y from p to 2^255 - 1 says what y - p says; either sign. */
function secondEncoding(draw: Draw): Uint8Array {
  return bytesOf(fieldPrime + BigInt(draw.below(19)) + (BigInt(draw.below(2)) << 255n))
}

/** No point at all, half of the time; then one of which nobody knows the place. */
function strayPoint(draw: Draw): Uint8Array {
  return draw.pick([
    () => draw.random.bytes(32),
    () => bytesOf(BigInt(draw.below(40)) + (BigInt(draw.below(2)) << 255n)),
    () => bytesOf(fieldPrime - BigInt(draw.below(40))),
    () => new Uint8Array(32).fill(draw.pick([0x00, 0x7f, 0x80, 0xff])),
  ])()
}

function resized(draw: Draw, bytes: Uint8Array): Uint8Array {
  return draw.pick([
    () => bytes.subarray(0, draw.below(bytes.length)),
    () => bytes.subarray(1),
    () => concatBytes(bytes, draw.random.bytes(1 + draw.below(40))),
    () => concatBytes(bytes, new Uint8Array(1)),
    () => emptyBytes,
  ])()
}

const kinds: readonly { readonly name: string; make(draw: Draw): Parts }[] = [
  { name: 'as signed', make: honest },
  {
    name: 'torsion in A and R',
    make: (draw) => signed(draw.point(draw.below(8)), draw.point(draw.below(8)), draw.message()),
  },
  { name: 'torsion that cancels', make: (draw) => cancelling(draw, modulo) },
  // What holds for whoever multiplies by h as it comes from the hash, and for nobody else.
  { name: 'torsion that cancels before h is reduced', make: (draw) => cancelling(draw, (h) => h) },
  {
    name: 'A of small order',
    make: (draw) => signed(draw.pick(draw.points.small), draw.point(draw.below(8)), draw.message()),
  },
  {
    name: 'R of small order',
    make: (draw) => signed(draw.point(draw.below(8)), draw.pick(draw.points.small), draw.message()),
  },
  {
    name: 'A and R of small order',
    make: (draw) => signed(draw.pick(draw.points.small), draw.pick(draw.points.small), draw.message()),
  },
  {
    name: 'S and multiples of the group order',
    make(draw) {
      const parts = honest(draw)
      const s = numberOf(parts.signature.subarray(32))
      return { ...parts, signature: withS(parts.signature, s + BigInt(1 + draw.below(15)) * groupOrder) }
    },
  },
  {
    name: 'S at an edge',
    make(draw) {
      const parts = honest(draw)
      const s = draw.pick([0n, 1n, 2n ** 252n, 2n ** 253n, 2n ** 255n, 2n ** 256n - 1n, groupOrder])
      return { ...parts, signature: withS(parts.signature, s + BigInt(draw.below(3) - 1)) }
    },
  },
  {
    name: 'S negated, or another',
    make(draw) {
      const parts = honest(draw)
      const s = numberOf(parts.signature.subarray(32))
      return {
        ...parts,
        signature: withS(parts.signature, draw.pick([groupOrder - s, drawScalar(draw.random), s ^ 1n])),
      }
    },
  },
  {
    name: 'R in a second encoding',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, signature: withR(parts.signature, secondEncoding(draw)) }
    },
  },
  { name: 'A in a second encoding', make: (draw) => ({ ...honest(draw), key: secondEncoding(draw) }) },
  {
    name: 'R a stray',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, signature: withR(parts.signature, strayPoint(draw)) }
    },
  },
  { name: 'A a stray', make: (draw) => ({ ...honest(draw), key: strayPoint(draw) }) },
  {
    name: 'bits of the signature',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, signature: flipped(draw, parts.signature) }
    },
  },
  {
    name: 'bits of the key',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, key: flipped(draw, parts.key) }
    },
  },
  {
    name: 'bits of the message',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, message: flipped(draw, parts.message) }
    },
  },
  {
    name: 'signs turned over',
    make(draw) {
      const parts = signed(draw.point(draw.below(8)), draw.point(draw.below(8)), draw.message())
      const turn = (bytes: Uint8Array): Uint8Array => bytes.with(31, (bytes[31] as number) ^ 0x80)
      return draw.below(2) === 0
        ? { ...parts, key: turn(parts.key) }
        : { ...parts, signature: withR(parts.signature, turn(parts.signature.subarray(0, 32))) }
    },
  },
  { name: "another's message", make: (draw) => ({ ...honest(draw), message: draw.message() }) },
  { name: "another's key", make: (draw) => ({ ...honest(draw), key: draw.point(draw.below(8)).bytes }) },
  {
    name: 'halves of two signatures',
    make(draw) {
      const [one, other] = [honest(draw), honest(draw)]
      return { ...one, signature: withR(one.signature, other.signature.subarray(0, 32)) }
    },
  },
  {
    name: 'halves in the wrong order',
    make(draw) {
      const { signature, ...parts } = honest(draw)
      return { ...parts, signature: concatBytes(signature.subarray(32), signature.subarray(0, 32)) }
    },
  },
  {
    name: 'R is A',
    make(draw) {
      const a = draw.point(draw.below(8))
      return signed(a, a, draw.message())
    },
  },
  {
    name: 'a signature of another length',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, signature: resized(draw, parts.signature) }
    },
  },
  {
    name: 'a key of another length',
    make(draw) {
      const parts = honest(draw)
      return { ...parts, key: resized(draw, parts.key) }
    },
  },
  {
    name: 'noise',
    make: (draw) => ({
      message: draw.message(),
      signature: concatBytes(draw.random.bytes(63), Uint8Array.of(draw.below(16))),
      key: draw.random.bytes(32),
    }),
  },
]
