import { rounded } from '../figures.ts'
import type { Phase, Trial } from '../trial.ts'
import { until } from '../waiting.ts'

/** Eight processes, each told one address: ready when everybody has met everybody and the aggregators are there. */
export const ready: Phase = {
  name: 'ready',
  isNeeded: true,
  async run({ processes, figures, progress, signal }: Trial) {
    const startedMs = performance.now()
    await processes.startAll()
    const nodes = processes.nodes.length
    progress.say(`${nodes} processes answer; one bootstrap address: ${processes.named('world').bootstrap}`)
    for (const node of processes.nodes) {
      await until(`${node.plan.name} meets its neighbours`, { withinMs: 30_000, signal }, async () => {
        const { peers, dht } = await node.admin('admin.status', { limit: 1 }, { signal })
        const met = peers.filter(({ connected }) => connected).length
        return met >= nodes - 1 && dht.peers >= nodes - 1
      })
    }
    figures.nodes = nodes
    figures.nodesReadyS = rounded((performance.now() - startedMs) / 1000)
  },
}
