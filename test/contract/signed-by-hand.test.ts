/** The shell lines of client/README.md, as they stand there, against a node. */
import { execFile, spawnSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { createApiNode, device, owner } from '../support/api-node.ts'

const has = (program: string): boolean =>
  spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined

test.skipIf(!['sh', 'openssl', 'curl'].every(has))('a request signed in a shell is answered', async () => {
  const api = createApiNode({
    'feed.list': async () => ({ ...page, position: null, requestsBetweenNodes: 0 }),
  })
  await using http = await api.openHttp()
  const folder = await mkdtemp(join(tmpdir(), 'onehop-shell-'))
  try {
    const readme = await readFile(new URL('../../client/README.md', import.meta.url), 'utf8')
    const [, script] = /```sh\n([^]*?)```/.exec(readme) ?? []
    const der = concatBytes(fromHex('302e020100300506032b657004220420') as Uint8Array, device.seed)
    const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
    await writeFile(join(folder, 'device.pem'), key.export({ format: 'pem', type: 'pkcs8' }))
    const env = {
      PATH: process.env['PATH'],
      NODE: `127.0.0.1:${http.port}`,
      OWNER: toHex(owner),
      DEVICE: toHex(device.key),
    }
    const { stdout } = await promisify(execFile)('sh', ['-ec', script ?? 'false'], { cwd: folder, env })
    expect(JSON.parse(stdout)).toMatchObject({ records: [], asOf: '5' })
  } finally {
    await rm(folder, { recursive: true })
  }
})

const page = { records: [], asOf: 5n, more: null }
