/** Signatures of many records as one block of bytes that two threads share. */
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'

export interface Signed {
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly key: Uint8Array
}

/** What the second thread says first, before any answer. */
export const there = 'there'

const fixedBytes = 4 + 64 + 32

export function packedBytes(batch: readonly Signed[]): number {
  return batch.reduce((sum, { message }) => sum + fixedBytes + message.length, 0)
}

/** Lengths were checked by the decoder: 64 and 32. */
export function packSigned(batch: readonly Signed[], bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  for (const { message, signature, key } of batch) {
    view.setUint32(at, message.length)
    bytes.set(signature, at + 4)
    bytes.set(key, at + 68)
    bytes.set(message, at + fixedBytes)
    at += fixedBytes + message.length
  }
}

export function* unpackSigned(bytes: Uint8Array, count: number): Generator<Signed> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + fixedBytes + view.getUint32(at)
    yield {
      signature: bytes.subarray(at + 4, at + 68),
      key: bytes.subarray(at + 68, at + fixedBytes),
      message: bytes.subarray(at + fixedBytes, end),
    }
    at = end
  }
}

/** One byte a signature. */
export function verdictsOn(
  crypto: Pick<CryptoProvider, 'verifyStrict'>,
  batch: readonly Signed[],
): Uint8Array {
  return Uint8Array.from(batch, ({ message, signature, key }) =>
    crypto.verifyStrict(message, signature, key) ? 1 : 0,
  )
}

/** Leaves one byte a signature at the beginning of the block. */
export function verifyPacked(
  crypto: Pick<CryptoProvider, 'verifyStrict'>,
  bytes: Uint8Array,
  count: number,
): void {
  let place = 0
  // A verdict stands where its signature began to be read, or before: nothing unread is written over.
  for (const { message, signature, key } of unpackSigned(bytes, count))
    bytes[place++] = crypto.verifyStrict(message, signature, key) ? 1 : 0
}
