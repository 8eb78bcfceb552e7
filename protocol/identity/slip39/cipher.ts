import { pbkdf2 } from '@noble/hashes/pbkdf2.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8 } from '../../bytes.ts'

/** What the shares say of how the secret was encrypted. */
export interface CipherSettings {
  /** 15 bits that all shares of a set have in common. */
  readonly id: number
  readonly isExtendable: boolean
  /** 10,000 rounds, times two to this. */
  readonly exponent: number
}

const rounds = [0, 1, 2, 3]
const iterations = 10_000

/** A wide block cipher of four Feistel rounds: every password opens the shares, and only the right one to the secret. */
export function encrypt(secret: Uint8Array, password: string, settings: CipherSettings): Uint8Array {
  return feistel(secret, rounds, password, settings)
}

export function decrypt(sealed: Uint8Array, password: string, settings: CipherSettings): Uint8Array {
  return feistel(sealed, rounds.toReversed(), password, settings)
}

function feistel(
  block: Uint8Array,
  order: readonly number[],
  password: string,
  { id, isExtendable, exponent }: CipherSettings,
): Uint8Array {
  const half = block.length / 2
  const salt = isExtendable
    ? new Uint8Array(0)
    : concatBytes(utf8('shamir'), Uint8Array.of(id >> 8, id & 255))
  let [left, right] = [block.slice(0, half), block.slice(half)]
  for (const round of order) {
    const key = pbkdf2(sha256, concatBytes(Uint8Array.of(round), utf8(password)), concatBytes(salt, right), {
      c: (iterations << exponent) / rounds.length,
      dkLen: half,
    })
    const next = left.map((byte, i) => byte ^ (key[i] as number))
    left = right
    right = next
  }
  return concatBytes(right, left)
}
