import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultConfig, type Config } from '../../daemon/config.ts'
import { startDaemon, type Daemon } from '../../daemon/start.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import type { Log } from '../../protocol/ports.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

export interface Daemons extends AsyncDisposable {
  readonly all: readonly Daemon[]
  /** What each was started with. */
  readonly configs: readonly Config[]
  /** Kills nothing softly: closes one. */
  stop(index: number): Promise<void>
}

/** Real daemons on loopback, each with an address of its own, that know the first as bootstrap node. */
export async function startDaemons(
  count: number,
  change: (config: Config, index: number) => Config = (config) => config,
  log: Log = silent,
): Promise<Daemons> {
  await using opened = new AsyncDisposableStack()
  const all: Daemon[] = []
  const configs: Config[] = []
  const stopped = new Set<number>()
  for (let index = 0; index < count; index++) {
    const state = await mkdtemp(join(tmpdir(), 'onehop-client-'))
    opened.defer(() => rm(state, { recursive: true, force: true }))
    const base = defaultConfig({ XDG_STATE_HOME: state })
    const [first] = all
    const config: Config = {
      ...base,
      state,
      store: 'memory',
      operator: `operator-${index}`,
      listen: { ...base.listen, host: `127.0.${index + 1}.1`, tcp: 0, websocket: 0, http: 0 },
      network: {
        ...base.network,
        mdns: false,
        bootstrap: first === undefined ? [] : bootstrapOf(first),
        allowDial: ['127.0.0.0/8'],
        announce: [],
      },
      hosting: { ...base.hosting, offerTo: 'anyone', heartbeatMs: 250, reconcileEveryMs: 2_000 },
    }
    const changed = change(config, index)
    const daemon = await startDaemon({ config: changed, version: 'test', log })
    all.push(daemon)
    configs.push(changed)
    opened.defer(async () => {
      if (!stopped.has(index)) await daemon[Symbol.asyncDispose]()
    })
  }
  const running = opened.move()
  return {
    all,
    configs,
    async stop(index) {
      stopped.add(index)
      await all[index]?.[Symbol.asyncDispose]()
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export function bootstrapOf(daemon: Daemon): string[] {
  return daemon.addresses
    .filter((address) => /\/tcp\/\d+$/.test(address))
    .map((a) => fullAddress(daemon.node.id, a))
}
