/** The daemon as it is started for people, in a process of its own: `startDaemon` with a port of its own. */
import { defaultConfig } from '../../daemon/config.ts'
import { startDaemon } from '../../daemon/start.ts'
import type { StoreStats } from '../../storage/types.ts'

const [state = '', host = '127.0.0.1'] = process.argv.slice(2)
const base = defaultConfig()
const daemon = await startDaemon({
  config: {
    ...base,
    state,
    listen: { host, tcp: 0, websocket: 0, http: 0 },
    network: { ...base.network, mdns: false, allowDial: ['127.0.0.0/8'] },
    log: 'error',
  },
  version: 'bench',
})
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.(daemon.storeStats() satisfies StoreStats))
process.send?.({ http: daemon.local, token: daemon.adminToken } satisfies DaemonStarted)

export interface DaemonStarted {
  readonly http: string
  readonly token: string
}
