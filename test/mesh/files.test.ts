import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminCall } from '../../cli/daemon.ts'
import { connect, defineSchema, httpTransport, makeIdentity, memoryKeyStore } from '../../client/index.ts'
import type { App, BlobReference, BlobSource } from '../../client/index.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import type { UnaryName } from '../../protocol/api/operations.ts'
import { sealedChunkPlainBytes } from '../../protocol/sealed-blob.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const diary = defineSchema({
  onehop: 1,
  id: 'example.diary',
  version: 1,
  collections: {
    pages: { key: 'random', private: true, fields: { text: { type: 'text' }, scan: { type: 'blob' } } },
  },
})

const quotaBytes = 64 * 2 ** 20
let daemons: Daemons
let state: string
let app: App<typeof diary>
/** What the app asks, in order; and what stands between it and the node. */
let asked: UnaryName[] = []
let lose: ((operation: UnaryName) => boolean) | undefined

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'onehop-files-'))
  daemons = await startDaemons(1, (config) => ({ ...config, store: 'level', state }))
  const [daemon] = daemons.all
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys })
  const call = adminCall(daemon!.local, daemon!.adminToken)
  await call('admin.host.add', { hosts: [{ log: identity.log(), quotaBytes }] })
  app = await connect({
    schema: diary,
    keys,
    identity,
    crypto: await loadCrypto(),
    transport: httpTransport({
      address: daemon!.local,
      async fetch(input, init) {
        const operation = new URL(input as string).pathname.split('/').at(-1) as UnaryName
        asked.push(operation)
        const answer = await fetch(input, init)
        if (lose?.(operation) === true) throw new TypeError('the answer was lost')
        return answer
      },
    }),
  })
  await app.publish()
})

afterAll(async () => {
  await app.close()
  await daemons[Symbol.asyncDispose]()
  await rm(state, { recursive: true, force: true })
})

function contents(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8) + (i >> 16))
}

async function* inParts(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function gather(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

const sources: Record<string, (bytes: Uint8Array<ArrayBuffer>) => BlobSource> = {
  bytes: (bytes) => bytes,
  'a Blob': (bytes) => new Blob([bytes]),
  'a stream': (bytes) => new Blob([bytes]).stream(),
  'an async iterable': (bytes) => inParts(bytes, 700_001),
}

describe.each([false, true])('sealed: %s', (sealed) => {
  const chunkBytes = sealed ? sealedChunkPlainBytes : limits.blobChunkBytes

  test.each(Object.keys(sources))('a file put as %s comes back as it was', async (name) => {
    for (const size of [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes + 70_000]) {
      const bytes = contents(size)
      const ref = await app.blobs.put(sources[name]!(bytes), 'image/png', { sealed })
      expect(ref).toEqual({
        hash: expect.any(Uint8Array),
        size,
        mime: 'image/png',
        ...(sealed && { key: expect.any(Uint8Array) }),
      })
      expect(toHex(await gather(app.blobs.get(ref)))).toBe(toHex(bytes))
    }
  })

  test('a range asks for the chunks alone that it touches', async () => {
    const bytes = contents(3 * chunkBytes + 1_000)
    const ref = await app.blobs.put(bytes, 'video/mp4', { sealed })
    const chunksFor = async (offset: number, length?: number): Promise<number> => {
      asked = []
      const range = await gather(app.blobs.get(ref, { offset, ...(length !== undefined && { length }) }))
      expect(toHex(range)).toBe(
        toHex(bytes.subarray(offset, length === undefined ? undefined : offset + length)),
      )
      expect(toHex(await app.blobs.range(ref, offset, length ?? 2 ** 40))).toBe(toHex(range))
      return asked.filter((operation) => operation === 'blob.get').length / 2
    }
    expect(await chunksFor(chunkBytes - 1, 1)).toBe(1)
    expect(await chunksFor(chunkBytes - 1, 2)).toBe(2)
    expect(await chunksFor(chunkBytes, chunkBytes)).toBe(1)
    expect(await chunksFor(3 * chunkBytes + 10)).toBe(1)
    expect(await chunksFor(1_000, 0)).toBe(0)
    expect(await chunksFor(3 * chunkBytes + 1_000, 10)).toBe(0)
    for (const wrong of [{ offset: -1 }, { length: 0.5 }])
      await expect(gather(app.blobs.get(ref, wrong))).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a reader that stops is not read ahead of', async () => {
    const ref = await app.blobs.put(contents(12 * chunkBytes), 'video/mp4', { sealed })
    asked = []
    const reader = app.blobs.get(ref).getReader()
    const first = await reader.read()
    expect(first.value?.length).toBe(chunkBytes)
    await reader.cancel()
    expect(asked.filter((operation) => operation === 'blob.get').length).toBeLessThanOrEqual(5)
  })

  test('answers that are lost are asked for again, by a stream too', async () => {
    const bytes = contents(4 * chunkBytes + 5)
    const lost = new Set<string>()
    lose = (operation) => {
      const isFirst = /blob\.(put|stage|commit)/.test(operation) && !lost.has(operation)
      if (isFirst) lost.add(operation)
      return isFirst
    }
    try {
      for (const source of [bytes, inParts(bytes, 90_000)]) {
        const ref = await app.blobs.put(source, 'image/png', { sealed })
        expect(toHex(await app.blobs.bytes(ref))).toBe(toHex(bytes))
      }
      expect([...lost]).toEqual(['blob.put', 'blob.stage', 'blob.commit'])
    } finally {
      lose = undefined
    }
  })

  test('a file that changes between two readings is not sent', async () => {
    const bytes = contents(400_000)
    const read = new Set<number | undefined>()
    const blob = new Blob([bytes])
    blob.slice = (start, end) => {
      const cut = bytes.slice(start, end)
      const isAgain = read.has(start)
      read.add(start)
      return new Blob([isAgain ? cut.fill(9) : cut])
    }
    asked = []
    await expect(app.blobs.put(blob, 'image/png', { sealed })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(asked).toEqual(['blob.begin'])
  })

  test('what does not fit into the quota is refused, and leaves room for what does', async () => {
    const tooMuch = (async function* () {
      for (let bytes = 0; bytes < 2 * quotaBytes; bytes += chunkBytes) yield new Uint8Array(chunkBytes)
    })()
    await expect(app.blobs.put(tooMuch, 'image/png', { sealed })).rejects.toMatchObject({ code: 'NO_QUOTA' })
    const ref = await app.blobs.put(inParts(contents(10), 3), 'image/png', { sealed })
    expect(toHex(await app.blobs.bytes(ref))).toBe(toHex(contents(10)))
    const folders = await readdir(join(state, 'blobs', 'aside'))
    expect(folders).toEqual([])
  })
})

test('a word of a sealed file is nowhere on the disk, nor its key; of a plain one it is', async () => {
  const word = 'Kaffeeklatsch mit Tante Hedwig'
  const scan = await app.blobs.put(utf8(`secret: ${word}`), 'text/plain', {
    sealed: true,
  })
  const page = await app.collection('pages').put({ text: 'a page', scan })
  await page.accepted
  const [item] = await app.collection('pages').latest(1)
  expect(item?.value.scan).toEqual(scan)
  expect(new TextDecoder().decode(await app.blobs.bytes(item!.value.scan!))).toContain(word)
  expect(await foundOnDisk(utf8(word))).toEqual([])
  expect(await foundOnDisk(scan.key!)).toEqual([])

  const open = await app.blobs.put(utf8(`open: ${word}`), 'text/plain')
  await expect(app.collection('pages').put({ scan: open })).rejects.toMatchObject({ code: 'BAD_FIELD' })
  expect((await foundOnDisk(utf8(word))).length).toBe(1)
})

async function foundOnDisk(word: Uint8Array): Promise<string[]> {
  const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((e) => e.isFile())
  expect(files.length).toBeGreaterThan(5)
  const found = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name)
      return (await readFile(path)).includes(Buffer.from(word)) ? path : ''
    }),
  )
  return found.filter((path) => path !== '')
}

test('without the right key, size and owner a sealed file does not open', async () => {
  const bytes = contents(300_000)
  const ref = await app.blobs.put(bytes, 'image/png', { sealed: true })
  const other = await app.blobs.put(bytes, 'image/png', { sealed: true })
  const refusal = (changed: Partial<BlobReference>): Promise<unknown> =>
    app.blobs.bytes({ ...ref, ...changed }).catch((error: { code: string }) => error.code)
  expect(await refusal({ key: other.key! })).toBe('BAD_SIGNATURE')
  expect(await refusal({ size: 1_000 })).toBe('BAD_MESSAGE')
  expect(await refusal({ size: ref.size - 1 })).toBe('BAD_MESSAGE')
  expect(await refusal({ size: 0.5 })).toBe('BAD_REQUEST')
  expect(toHex(ref.hash)).not.toBe(toHex(other.hash))
  const { hash, key } = ref
  await expect(app.blobs.bytes({ hash, key: key! })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})
