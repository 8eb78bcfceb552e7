import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encode } from '../../protocol/codec.ts'
import { type BlobFolder, openBlobs } from '../../storage/blobs.ts'
import type { BlobStore } from '../../storage/types.ts'
import { sha256 } from '../support/records.ts'

const chunkBytes = 256 * 1024

function picture(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 18) * 13) & 255)
}

function* parts(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Every place for blobs passes this. `make` opens an empty one. */
export function blobContract(name: string, make: () => Promise<BlobFolder>): void {
  describe(name, () => {
    let folder: BlobFolder
    let blobs: BlobStore
    beforeEach(async () => {
      folder = await make()
      blobs = openBlobs(folder)
    })
    afterEach(() => blobs.close())

    test.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes + 5])(
      'a blob of %i bytes comes back whole and in ranges',
      async (size) => {
        const bytes = picture(size)
        const manifest = await blobs.put(parts(bytes, 100_003), size)
        expect(manifest.size).toBe(size)
        expect(manifest.id).toStrictEqual(
          sha256(encode(['onehop/blob/1', size, [...parts(bytes, chunkBytes)].map(sha256)])),
        )
        expect(await blobs.has(manifest.id)).toBe(true)
        expect(await blobs.manifest(manifest.id)).toStrictEqual(manifest)
        expect(await blobs.read(manifest.id, 0, size)).toStrictEqual(bytes)
        const [start, end] = [Math.floor(size / 3), Math.ceil(size / 1.1)]
        expect(await blobs.read(manifest.id, start, end)).toStrictEqual(bytes.subarray(start, end))
        await expect(blobs.read(manifest.id, 0, size + 1)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
        await blobs.delete(manifest.id)
        expect(await blobs.has(manifest.id)).toBe(false)
      },
    )

    test('a copy arrives chunk by chunk, and a wrong one is refused', async () => {
      const bytes = picture(2 * chunkBytes + 10)
      const chunks = [...parts(bytes, chunkBytes)]
      const encoded = encode(['onehop/blob/1', bytes.length, chunks.map(sha256)])
      const id = sha256(encoded)
      await expect(blobs.putChunk(id, 0, chunks[0] as Uint8Array)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      })
      await expect(blobs.putManifest(id, encoded.subarray(1))).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
      await blobs.putManifest(id, encoded)
      expect(await blobs.missing(id)).toStrictEqual([0, 1, 2])
      await expect(blobs.putChunk(id, 0, chunks[1] as Uint8Array)).rejects.toMatchObject({
        code: 'BAD_MESSAGE',
      })
      await blobs.putChunk(id, 2, chunks[2] as Uint8Array)
      await blobs.putChunk(id, 0, chunks[0] as Uint8Array)
      expect(await blobs.missing(id)).toStrictEqual([1])
      expect(await blobs.has(id)).toBe(false)
      expect(await blobs.read(id, 10, 20)).toStrictEqual(bytes.subarray(10, 20))
      await expect(blobs.read(id, 0, bytes.length)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect((await blobs.put([bytes], bytes.length)).id).toStrictEqual(id)
      expect(await blobs.read(id, 0, bytes.length)).toStrictEqual(bytes)
    })

    test('a blob whose manifest comes last is none before, and none when they do not fit', async () => {
      const bytes = picture(2 * chunkBytes + 10)
      const chunks = [...parts(bytes, chunkBytes)]
      const encoded = encode(['onehop/blob/1', bytes.length, chunks.map(sha256)])
      const id = sha256(encoded)
      // Whoever looks before keeps nothing of it.
      expect(await blobs.has(id)).toBe(false)
      const refused = async (staged: ReadonlyMap<number, Uint8Array>): Promise<void> => {
        const stage = await blobs.stage()
        for (const [index, chunk] of staged) await stage.putChunk(index, chunk)
        await expect(stage.finish(encoded)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
        await stage.abandon()
        expect(await blobs.has(id)).toBe(false)
      }
      const [first, second, last] = chunks as [Uint8Array, Uint8Array, Uint8Array]
      await refused(new Map())
      await refused(new Map([first, second].entries()))
      await refused(new Map([second, first, last].entries()))
      await refused(new Map([first, second, last, last].entries()))

      const stage = await blobs.stage()
      await stage.putChunk(2, last)
      await stage.putChunk(0, last)
      await stage.putChunk(1, second)
      expect(await stage.putChunk(0, first)).toStrictEqual(sha256(first))
      expect(await blobs.has(id)).toBe(false)
      expect((await stage.finish(encoded)).id).toStrictEqual(id)
      expect(await blobs.has(id)).toBe(true)
      expect(await blobs.missing(id)).toStrictEqual([])
      expect(await blobs.read(id, 0, bytes.length)).toStrictEqual(bytes)

      const lengths = [sha256(second.subarray(1)), sha256(last)]
      const lying = encode(['onehop/blob/1', chunkBytes + 10, lengths])
      const short = await blobs.stage()
      await short.putChunk(0, second.subarray(1))
      await short.putChunk(1, last)
      await expect(short.finish(lying)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
    })

    test('many blobs at once: each knows what it lacks', async () => {
      const chunks = [...parts(picture(2 * chunkBytes), chunkBytes)] as [Uint8Array, Uint8Array]
      const made = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const own = Uint8Array.of(i)
          const all = [...chunks, own]
          const encoded = encode(['onehop/blob/1', 2 * chunkBytes + 1, all.map(sha256)])
          const id = sha256(encoded)
          await blobs.putManifest(id, encoded)
          await Promise.all(all.map((chunk, index) => blobs.putChunk(id, index, chunk)))
          return id
        }),
      )
      for (const id of made) expect(await blobs.missing(id)).toStrictEqual([])
    })

    test('a manifest whose size and list differ is refused', async () => {
      const lying = encode(['onehop/blob/1', chunkBytes + 1, [sha256(new Uint8Array(1))]])
      await expect(blobs.putManifest(sha256(lying), lying)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
    })

    test('too much is refused and leaves nothing', async () => {
      await expect(blobs.put(parts(picture(1000), 100), 999)).rejects.toMatchObject({ code: 'TOO_LARGE' })
      expect((await blobs.put([picture(999)], 999)).size).toBe(999)
    })

    test('after closing every call says CLOSED', async () => {
      const { id } = await blobs.put([picture(5)], 5)
      await blobs.close()
      await expect(blobs.read(id, 0, 5)).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(blobs.put([picture(5)], 5)).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(blobs.stage()).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })
}
