/** Signatures of many records as one block of bytes, which passes to another thread without a copy for each. */

export interface Signed {
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly key: Uint8Array
}

const fixedBytes = 4 + 64 + 32

/** Lengths were checked by the decoder: 64 and 32. */
export function packSigned(batch: readonly Signed[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(batch.reduce((sum, { message }) => sum + fixedBytes + message.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { message, signature, key } of batch) {
    view.setUint32(at, message.length)
    bytes.set(signature, at + 4)
    bytes.set(key, at + 68)
    bytes.set(message, at + fixedBytes)
    at += fixedBytes + message.length
  }
  return bytes
}

export function* unpackSigned(bytes: Uint8Array): Generator<Signed> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const end = at + fixedBytes + view.getUint32(at)
    yield {
      signature: bytes.subarray(at + 4, at + 68),
      key: bytes.subarray(at + 68, at + fixedBytes),
      message: bytes.subarray(at + fixedBytes, end),
    }
    at = end
  }
}
