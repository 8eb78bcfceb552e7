import { fromHex, toHex } from '../../../protocol/bytes.ts'
import { unpackChain } from '../../../protocol/placement/chain.ts'
import { Draw } from '../data/draw.ts'
import { percentile, rounded } from '../figures.ts'
import { ninthNode } from '../plan.ts'
import type { Phase, Trial } from '../trial.ts'
import { inParallel, until } from '../waiting.ts'

const namedUsers = 200
const lookupsAtOnce = 3

/** Named users go to the head of each home's queue; what they wait for is only the pace of the DHT. */
export async function announceNamed(trial: Trial): Promise<void> {
  const { processes, ledger, signal } = trial
  const draw = new Draw(200)
  trial.named = draw.some(
    ledger.people.map(({ number }) => number),
    namedUsers,
  )
  for (const node of processes.homes) {
    const here = trial.named.filter((number) => ledger.people[number]?.home === node.plan.home)
    const owners = here.map((number) => fromHex(ledger.ids[number] ?? '', 32) as Uint8Array)
    await node.admin('admin.provide', { owners }, { signal })
    trial.announced.push({ node, owners })
  }
}

/** A ninth node that knows one address finds those who hold the named users' shards. */
export const dht: Phase = {
  name: 'dht',
  async run(trial: Trial) {
    const { processes, ledger, figures, progress, signal } = trial
    for (const { node, owners } of trial.announced) {
      await until(`${node.plan.name} announces the named users`, { withinMs: 60_000, signal }, async () => {
        // Asked again it queues nobody twice, and says for how many nothing stands in the DHT yet.
        const { queued } = await node.admin('admin.provide', { owners }, { signal })
        return queued === 0
      })
    }
    progress.say(`${trial.named.length} named users are announced`)
    const bootstrap = processes.named('nairobi').bootstrap
    const ninth = await processes.startOther(ninthNode, [bootstrap])
    try {
      await until('the ninth node joins', { withinMs: 20_000, signal }, async () => {
        const { dht: state } = await ninth.admin('admin.status', { limit: 1 }, { signal })
        return state.peers > 0
      })
      const timesMs: number[] = []
      const results = await inParallel(trial.named, lookupsAtOnce, async (number) => {
        const owner = fromHex(ledger.ids[number] ?? '', 32) as Uint8Array
        const startedMs = performance.now()
        try {
          const { replicaSet, source } = await ninth.public.call('replica-set.get', { owner }, { signal })
          timesMs.push(performance.now() - startedMs)
          const { newest } = unpackChain(trial.writer.crypto, replicaSet)
          const members = newest.members.map(({ node }) => toHex(node))
          return source === 'network' && members.join() === ledger.members[number]?.join()
        } catch (error) {
          progress.say(`person ${number} is not found: ${(error as Error).message}`)
          return false
        }
      })
      const states = await Promise.all(
        processes.homes.map((node) => node.admin('admin.status', { limit: 1 }, { signal })),
      )
      figures.dht = {
        queued: states.reduce((sum, { dht: { queued } }) => sum + queued, 0),
        lookups: results.length,
        found: results.filter(Boolean).length,
        p50Ms: rounded(percentile(timesMs, 0.5)),
      }
    } finally {
      await ninth.stop()
    }
  },
}
