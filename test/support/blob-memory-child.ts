/**
 * A node and an app in one process that send a file up and read it back; prints what was alive at most above what was
 * before, in bytes, for each way, and how often it looked. Run with --expose-gc: what is alive is what the collector leaves.
 */
import { openAsBlob } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { adminCall } from '../../cli/daemon.ts'
import { connect, httpTransport, makeIdentity, memoryKeyStore, microblog } from '../../client/index.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { BlobFile } from '../../scripts/bench/blob-file.ts'
import { startDaemons } from './daemons.ts'

const [mb = 32] = process.argv.slice(2).map(Number)
const warmUpMb = 2
/** A look stops the world: at every so many pieces of the file. */
const lookEveryPieces = 12

async function aliveBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  // Buffers are freed beside the collector, some of them a turn later.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await turn()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

async function* looking<T>(pieces: AsyncIterable<T>, look: () => Promise<void>): AsyncGenerator<T> {
  let count = 0
  for await (const piece of pieces) {
    if (count++ % lookEveryPieces === 0) await look()
    yield piece
  }
}

if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
await using folder = await temporaryFolder()
await using daemons = await startDaemons(1, (config) => ({
  ...config,
  store: 'level',
  state: join(folder.path, 'state'),
}))
const [daemon] = daemons.all
if (daemon === undefined) throw new Error('no node')
const crypto = await loadCrypto()
const keys = memoryKeyStore()
const identity = await makeIdentity({ keys, crypto })
const quotaBytes = (mb + warmUpMb) * 4 * 2 ** 20
await adminCall(daemon.local, daemon.adminToken)('admin.host.add', {
  hosts: [{ log: identity.log(), quotaBytes }],
})
const transport = httpTransport({ address: daemon.local })
await using app = await connect({ schema: microblog, keys, identity, crypto, transport })
const file = new BlobFile(crypto.random(2 ** 20))

interface Growth {
  readonly bytes: number
  readonly looks: number
}

async function growth(mbOf: number, sealed: boolean): Promise<Record<string, Growth>> {
  const path = join(folder.path, 'file')
  {
    await using handle = await open(path, 'w')
    for await (const block of file.read(mbOf)) await handle.writeFile(block)
  }
  const before = await aliveBytes()
  let most = 0
  let looks = 0
  const look = async (): Promise<void> => {
    looks++
    most = Math.max(most, (await aliveBytes()) - before)
  }
  const taken = (): Growth => {
    const told = { bytes: most, looks }
    most = 0
    looks = 0
    return told
  }
  const streamed = await app.blobs.put(looking(file.read(mbOf), look), 'a/b', { sealed })
  const streamUp = taken()
  await file.check(mbOf, looking(app.blobs.get(streamed), look))
  const down = taken()
  let pieces = 0
  const source = await openAsBlob(path)
  const slice = source.slice.bind(source)
  // One look for each piece that is sent; reading it before it is sent looks as often again.
  source.slice = (start, end) => {
    const cut = slice(start, end)
    const arrayBuffer = cut.arrayBuffer.bind(cut)
    cut.arrayBuffer = async () => {
      const bytes = await arrayBuffer()
      if (pieces++ % (lookEveryPieces * 4) === 0) await look()
      return bytes
    }
    return cut
  }
  const read = await app.blobs.put(source, 'a/b', { sealed })
  const fileUp = taken()
  await file.check(mbOf, app.blobs.get(read))
  return { streamUp, fileUp, down }
}

await growth(warmUpMb, true)
await growth(warmUpMb, false)
process.stdout.write(
  `${JSON.stringify({ sealed: await growth(mb, true), plain: await growth(mb, false) })}\n`,
)

async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'onehop-blob-memory-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
