/** A real daemon in a box of its own, which looks up what the liar promised; ends with its input. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultConfig } from '../../daemon/config.ts'
import { startDaemon } from '../../daemon/start.ts'
import { httpCaller } from '../support/api-client.ts'
import { silentLog, testCrypto } from '../support/api-node.ts'

/** Own address, then bootstrap addresses. */
const [address = '', ...bootstrap] = process.argv.slice(2)
let failedDials = 0
function count(event: string): void {
  if (event === 'net.dial-failed') say({ failedDials: ++failedDials })
}
function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

const state = await mkdtemp(join(tmpdir(), 'onehop-victim-'))
const base = defaultConfig({ XDG_STATE_HOME: state })
const daemon = await startDaemon({
  config: {
    ...base,
    ...{ state, store: 'memory' },
    listen: { ...base.listen, host: '0.0.0.0', tcp: 0, websocket: 0, http: 0 },
    network: { ...base.network, mdns: false, bootstrap, allowDial: [`${address}/24`], announce: [] },
    hosting: { ...base.hosting, heartbeatMs: 250 },
  },
  version: 'test',
  log: { ...silentLog, debug: count },
})
const call = httpCaller(Number(new URL(daemon.local).port))
let lookups = 0
say({ port: Number(new URL(daemon.local).port), adminToken: daemon.adminToken })

let isOver = false
const over = new Promise<void>((resolve) => {
  createInterface({ input: process.stdin }).on('close', () => {
    isOver = true
    resolve()
  })
})
while (!isOver) {
  // Whoever asks this node for a person has it look in the DHT, and ask whom it is told.
  const asked = call('replica-set.get', { owner: testCrypto.random(32) }).catch(() => undefined)
  await Promise.race([asked, over])
  say({ lookups: ++lookups })
  await sleep(20)
}
await daemon[Symbol.asyncDispose]()
await rm(state, { recursive: true, force: true })
