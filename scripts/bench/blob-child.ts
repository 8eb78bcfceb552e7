/** An app that sends a long file to a node and reads it back, in a process of its own, so that its memory can be seen. */
import { adminCall } from '../../cli/daemon.ts'
import { connect } from '../../client/connect.ts'
import { makeIdentity } from '../../client/identity/identity.ts'
import { httpTransport } from '../../client/http.ts'
import { memoryKeyStore } from '../../client/key-store.ts'
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import type { BlobReference } from '../../protocol/schema/value.ts'
import { BlobFile } from './blob-file.ts'

export type BlobAsk =
  | { readonly ask: 'put'; readonly mb: number; readonly sealed: boolean }
  | { readonly ask: 'get'; readonly mb: number; readonly ref: BlobReference }

export interface BlobAnswer {
  readonly seconds: number
  readonly cpuS: number
  readonly ref: BlobReference
}

const [address = '', token = '', quotaBytes = '0'] = process.argv.slice(2)
const crypto = await loadCrypto()
const keys = memoryKeyStore()
const identity = await makeIdentity({ keys, crypto })
await adminCall(address, token)('admin.host.add', {
  hosts: [{ log: identity.log(), quotaBytes: Number(quotaBytes) }],
})
const app = await connect({
  schema: microblog,
  keys,
  identity,
  crypto,
  transport: httpTransport({ address }),
})
const file = new BlobFile(crypto.random(2 ** 20))

async function run(asked: BlobAsk): Promise<BlobReference> {
  if (asked.ask === 'put')
    return app.blobs.put(file.read(asked.mb), 'application/octet-stream', { sealed: asked.sealed })
  await file.check(asked.mb, app.blobs.get(asked.ref))
  return asked.ref
}

async function answer(asked: BlobAsk): Promise<void> {
  const startMs = performance.now()
  const before = process.cpuUsage()
  const ref = await run(asked)
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(before)
  process.send?.({ seconds, cpuS: (user + system) / 1e6, ref } satisfies BlobAnswer)
}

process.on('disconnect', () => process.exit())
process.on('message', (message) => void answer(message as BlobAsk))
process.send?.('ready')
