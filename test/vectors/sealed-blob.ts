/** Makes sealed-blob.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import {
  sealChunk,
  sealedChunkPlainBytes,
  sealedFileBytesMax,
  sealedLength,
  type ChunkPlace,
} from '../../protocol/sealed-blob.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

interface ChunkCase extends ChunkPlace {
  readonly name: string
  readonly key: string
  readonly sealed: string
}

export interface SealedBlobVectors {
  readonly about: string
  readonly lengths: readonly {
    readonly size: number
    readonly padded: number
    readonly chunks: number
    readonly sealed: number
  }[]
  readonly tooLong: readonly number[]
  readonly valid: readonly (ChunkCase & { readonly plain: string })[]
  readonly invalid: readonly ChunkCase[]
  /** Whole files: byte i is (7 i + floor(i / 256)) mod 256; `blob` is the name, `size` the blob's. */
  readonly files: readonly {
    readonly key: string
    readonly fileSize: number
    readonly size: number
    readonly blob: string
  }[]
  /** An opened chunk, what the reference says of the file, and the file's bytes in it; null where they differ. */
  readonly ends: readonly {
    readonly name: string
    readonly opened: string
    readonly index: number
    readonly size: number
    readonly file: string | null
  }[]
}

export function fileBytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => 7 * i + (i >> 8))
}

/** The blob of a file as it lies on nodes. */
export function sealFile(crypto: CryptoProvider, key: Uint8Array, file: Uint8Array): Uint8Array[] {
  const { chunks, paddedBytes } = sealedLength(file.length)
  const padded = new Uint8Array(paddedBytes)
  padded.set(file)
  return Array.from({ length: chunks }, (_, index) =>
    sealChunk(
      crypto,
      key,
      { index, last: index === chunks - 1 },
      padded.subarray(index * sealedChunkPlainBytes, (index + 1) * sealedChunkPlainBytes),
    ),
  )
}

export function sealedBlobVectors(): SealedBlobVectors {
  const random = createSeededRandom(0xb10b)
  const crypto = nodeCrypto((length) => random.bytes(length))
  const [key, other] = [random.bytes(32), random.bytes(32)]
  const plain = random.bytes(40)
  const seal = (index: number, last: boolean, of = key): Uint8Array =>
    sealChunk(crypto, of, { index, last }, plain)
  const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.with(at, (bytes.at(at) as number) ^ 1) as Uint8Array
  const valid: Record<string, readonly [index: number, last: boolean]> = {
    'the first of several': [0, false],
    'the first and last': [0, true],
    'the second': [1, false],
    'the last that may be': [16_383, true],
  }
  const sealed = seal(1, false)
  const invalid: Record<string, readonly [index: number, last: boolean, sealed: Uint8Array]> = {
    'moved to another place': [2, false, sealed],
    'two that changed places': [0, false, sealed],
    'the file is cut behind it: it was not the last': [1, true, sealed],
    'something was added behind it: it was the last': [1, false, seal(1, true)],
    'of another file': [1, false, seal(1, false, other)],
    'its first bit is another': [1, false, flipped(sealed, 0)],
    'its last bit is another': [1, false, flipped(sealed, -1)],
    'a byte short': [1, false, sealed.subarray(0, -1)],
    'a byte more': [1, false, concatBytes(sealed, new Uint8Array(1))],
    'shorter than its authenticator': [1, false, sealed.subarray(0, 15)],
    'no bytes at all': [1, false, new Uint8Array(0)],
    'not sealed': [1, false, plain],
  }
  const zeros = (length: number): Uint8Array => new Uint8Array(length)
  const letters = Uint8Array.of(1, 2, 3)
  const ends: Record<string, readonly [opened: Uint8Array, index: number, size: number, file?: Uint8Array]> = {
    'all of it is the file': [letters, 0, 3, letters],
    'more of the file is to come': [letters, 0, 4, letters],
    'zeros behind the file': [concatBytes(letters, zeros(5)), 0, 3, letters],
    'a file of zeros': [zeros(5), 0, 3, zeros(3)],
    'a chunk of nothing but padding': [zeros(5), 1, 3, zeros(0)],
    'the end lies in the second chunk': [concatBytes(letters, zeros(5)), 1, sealedChunkPlainBytes + 3, letters],
    'something behind the end': [concatBytes(letters, zeros(4), Uint8Array.of(1)), 0, 3],
    'the file is longer than it is said to be': [letters, 0, 2],
    'the file is said to be over before': [letters, 1, 3],
  }
  return {
    about:
      'sealed files; bytes in hex. Invalid chunks do not open at the place and with the key beside them. ' +
      'Byte i of a file is (7 i + floor(i / 256)) mod 256; its name and size are those of the blob',
    lengths: [0, 1, 255, 256, 257, 1000, 100_000, 262_128, 262_129, 1_000_000, 2 ** 30, sealedFileBytesMax].map(
      (size) => {
        const { paddedBytes, chunks, sealedBytes } = sealedLength(size)
        return { size, padded: paddedBytes, chunks, sealed: sealedBytes }
      },
    ),
    tooLong: [sealedFileBytesMax + 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
    valid: Object.entries(valid).map(([name, [index, last]]) => ({
      name,
      key: toHex(key),
      index,
      last,
      plain: toHex(plain),
      sealed: toHex(seal(index, last)),
    })),
    invalid: [
      ...Object.entries(invalid).map(([name, [index, last, bytes]]) => ({
        name,
        key: toHex(key),
        index,
        last,
        sealed: toHex(bytes),
      })),
      { name: 'another key', key: toHex(other), index: 1, last: false, sealed: toHex(sealed) },
    ],
    files: [0, 1000, 262_128, 600_000].map((fileSize) => {
      const chunks = sealFile(crypto, key, fileBytes(fileSize))
      const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      const manifest = encodeManifest({ size, chunks: chunks.map((chunk) => crypto.sha256(chunk)) })
      return { key: toHex(key), fileSize, size, blob: toHex(crypto.sha256(manifest)) }
    }),
    ends: Object.entries(ends).map(([name, [opened, index, size, file]]) => ({
      name,
      opened: toHex(opened),
      index,
      size,
      file: file === undefined ? null : toHex(file),
    })),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(sealedBlobVectors(), undefined, 1)}\n`
  writeFileSync(new URL('sealed-blob.json', import.meta.url), text)
}
