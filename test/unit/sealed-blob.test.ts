import { describe, expect, it } from 'vitest'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { limits } from '../../protocol/limits.ts'
import { openChunk, sealChunk, sealedLength, withoutPadding } from '../../protocol/sealed-blob.ts'
import { fileBytes, sealedBlobVectors, sealFile, type SealedBlobVectors } from '../vectors/sealed-blob.ts'
import { codeOf, readVectors, unhex } from '../vectors/wire.ts'

const file = readVectors('sealed-blob.json') as SealedBlobVectors
const random = (length: number): Uint8Array => new Uint8Array(length)

it('vectors are what is made today', () => expect(sealedBlobVectors()).toEqual(file))

describe.each([nodeCrypto(random), portableCrypto(random)])('sealed chunks with $name', (crypto) => {
  it.each(file.valid)('open: $name', ({ key, index, last, plain, sealed }) => {
    expect(toHex(sealChunk(crypto, unhex(key), { index, last }, unhex(plain)))).toBe(sealed)
    expect(toHex(openChunk(crypto, unhex(key), { index, last }, unhex(sealed)) as Uint8Array)).toBe(plain)
  })

  it.each(file.invalid)('stay shut: $name', ({ key, index, last, sealed }) => {
    expect(openChunk(crypto, unhex(key), { index, last }, unhex(sealed))).toBeUndefined()
  })

  it('refuse a key or a place that cannot be', () => {
    const seal = (key: number, index: number) => () =>
      sealChunk(crypto, new Uint8Array(key), { index, last: false }, new Uint8Array(1))
    expect([seal(32, 0), seal(31, 0), seal(32, -1), seal(32, 0.5), seal(32, 16_384)].map(codeOf)).toEqual([
      'taken',
      ...Array.from({ length: 4 }, () => 'BAD_REQUEST'),
    ])
  })
})

describe('sealed files', () => {
  it.each(file.lengths)('$size bytes are padded to $padded', ({ size, padded, chunks, sealed }) => {
    expect(sealedLength(size)).toEqual({ chunks, paddedBytes: padded, sealedBytes: sealed })
    expect(Math.ceil(sealed / limits.blobChunkBytes)).toBe(chunks)
  })

  it.each(file.tooLong)('%i bytes are too many', (size) => {
    expect(codeOf(() => sealedLength(size))).toBe('TOO_LARGE')
  })

  it.each(file.files)('$fileSize bytes have one name', ({ key, fileSize, size, blob }) => {
    const crypto = nodeCrypto(random)
    const chunks = sealFile(crypto, unhex(key), fileBytes(fileSize))
    expect(chunks.slice(0, -1).every(({ length }) => length === limits.blobChunkBytes)).toBe(true)
    const manifest = encodeManifest({ size, chunks: chunks.map((chunk) => crypto.sha256(chunk)) })
    expect(toHex(crypto.sha256(manifest))).toBe(blob)
  })

  it.each(file.ends)('end where they are said to: $name', ({ opened, index, size, file: left }) => {
    const found = withoutPadding(unhex(opened), index, size)
    expect(found === undefined ? null : toHex(found)).toBe(left)
  })
})
