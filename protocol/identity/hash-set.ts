import { compareBytes } from '../bytes.ts'
import { array, bytes, mapped, mismatch, type Shape } from '../shape.ts'

/** Hashes on the wire, ascending and each once: one set has one form. */
export function hashSet(max: number): Shape<readonly Uint8Array[]> {
  return mapped(array(bytes(32), max), (hashes) => {
    for (let i = 1; i < hashes.length; i++) {
      if (compareBytes(hashes[i - 1] as Uint8Array, hashes[i] as Uint8Array) >= 0)
        throw mismatch('ascending hashes')
    }
    return hashes
  })
}
