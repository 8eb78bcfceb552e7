import { expect, test } from 'vitest'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import type { Log } from '../../protocol/ports.ts'
import { openBlobs } from '../../storage/blobs.ts'
import { MemoryBlobFolder } from '../../storage/blobs-memory.ts'
import { Uploads, type UploadsParts } from '../../daemon/operations/uploads.ts'
import { toHex } from '../../protocol/bytes.ts'
import { sha256 } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const [ada, ben] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const name = (number: number): Uint8Array => new Uint8Array(32).fill(number)
const chunk = Uint8Array.of(1, 2, 3)
const manifest = encodeManifest({ size: 3, chunks: [sha256(chunk)] })
const blob = sha256(manifest)
const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

function open(roomBytes = 1_000) {
  const held = new Set<string>()
  const clock = createVirtualClock()
  const hosting = { hasRoom: (_: Uint8Array, bytes: number) => bytes <= roomBytes } as UploadsParts['hosting']
  const copies: UploadsParts['copies'] = {
    hold: async (owner, of) => void held.add(toHex(owner) + toHex(of)),
    isHeldFor: (owner, of) => held.has(toHex(owner) + toHex(of)),
  }
  const blobs = openBlobs(new MemoryBlobFolder())
  return { clock, blobs, held, uploads: new Uploads({ clock, log, blobs, hosting, copies }) }
}

test('what is staged is a blob when its manifest comes, and committing again is answered alike', async () => {
  const { uploads, blobs, held } = open()
  await uploads.stage(ada, name(1), 0, chunk)
  expect(await blobs.has(blob)).toBe(false)
  await uploads.commit(ada, name(1), blob, manifest)
  await uploads.commit(ada, name(1), blob, manifest)
  expect([await blobs.has(blob), held.size]).toEqual([true, 1])
  // Another may not claim it so.
  await expect(uploads.commit(ben, name(1), blob, manifest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a manifest of something else ends the upload', async () => {
  const { uploads } = open()
  await uploads.stage(ada, name(1), 0, Uint8Array.of(9))
  await expect(uploads.commit(ada, name(1), blob, manifest)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
  await expect(uploads.commit(ada, name(1), blob, manifest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('all that is staged counts against the quota, a chunk that comes twice once', async () => {
  const { uploads } = open(7)
  await uploads.stage(ada, name(1), 0, chunk)
  await uploads.stage(ada, name(1), 0, chunk)
  await uploads.stage(ada, name(2), 0, chunk)
  await expect(uploads.stage(ada, name(2), 1, chunk)).rejects.toMatchObject({ code: 'NO_QUOTA' })
  await uploads.drop(ada, name(1))
  await uploads.stage(ada, name(2), 1, chunk)
})

test('an owner has four uploads, a node sixteen', async () => {
  const { uploads } = open()
  for (let i = 0; i < 4; i++) await uploads.stage(ada, name(i), 0, chunk)
  await expect(uploads.stage(ada, name(9), 0, chunk)).rejects.toMatchObject({ code: 'BUSY' })
  for (let i = 0; i < 12; i++) await uploads.stage(name(100 + i), name(i), 0, chunk)
  await expect(uploads.stage(ben, name(0), 0, chunk)).rejects.toMatchObject({ code: 'BUSY' })
  await uploads.drop(ada, name(0))
  await uploads.stage(ben, name(0), 0, chunk)
})

test('an upload of which nothing is heard for ten minutes is dropped, one that goes on is not', async () => {
  const { uploads, clock } = open()
  const closing = new AbortController()
  const running = uploads.run(closing.signal)
  await uploads.stage(ada, name(1), 0, chunk)
  await uploads.stage(ada, name(2), 0, chunk)
  await clock.advance(6 * 60_000)
  await uploads.stage(ada, name(2), 0, chunk)
  await clock.advance(6 * 60_000)
  await expect(uploads.commit(ada, name(1), blob, manifest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await uploads.commit(ada, name(2), blob, manifest)
  closing.abort()
  await running
})
