/**
 * The part of `verifyStrict` that needs no arithmetic, one for all providers: what libraries disagree on (S not
 * reduced, points in a second encoding, points of small order) is refused here, before any of them is asked.
 */

/** 2^252 + 27742317777372353535851937790883648493, least significant byte first. */
const groupOrder = littleEndian('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed')

/** The y of all eight points whose order divides 8, sign bit cleared: orders 1, 2, 4 (two points), 8 (four). */
const smallOrderYs = [
  littleEndian('0000000000000000000000000000000000000000000000000000000000000001'),
  littleEndian('7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec'),
  littleEndian('0000000000000000000000000000000000000000000000000000000000000000'),
  littleEndian('05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826'),
  littleEndian('7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7'),
]

/** Lengths 64 and 32, S below the group order, R and A in their one encoding and not of small order. */
export function isStrictlyFormed(signature: Uint8Array, publicKey: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    publicKey.length === 32 &&
    isBelowGroupOrder(signature, 32) &&
    isStrictPoint(signature) &&
    isStrictPoint(publicKey)
  )
}

function isBelowGroupOrder(bytes: Uint8Array, start: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (bytes[start + i] as number) - (groupOrder[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

/**
 * Of the first 32 bytes. The other second encoding, x = 0 with the sign bit set, belongs to two points of small
 * order and is refused with them. Whether the point is on the curve is left to the arithmetic.
 */
function isStrictPoint(bytes: Uint8Array): boolean {
  return isBelowFieldPrime(bytes) && !smallOrderYs.some((y) => hasY(bytes, y))
}

/** y < 2^255 - 19. */
function isBelowFieldPrime(bytes: Uint8Array): boolean {
  if (((bytes[31] as number) & 0x7f) !== 0x7f) return true
  for (let i = 30; i > 0; i--) if (bytes[i] !== 0xff) return true
  return (bytes[0] as number) < 0xed
}

function hasY(bytes: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (bytes[i] !== y[i]) return false
  return ((bytes[31] as number) & 0x7f) === y[31]
}

function littleEndian(hex: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(62 - 2 * i, 64 - 2 * i), 16))
}
