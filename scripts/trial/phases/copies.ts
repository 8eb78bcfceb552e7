import { toHex } from '../../../protocol/bytes.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Phase, Trial } from '../trial.ts'
import { until } from '../waiting.ts'

const withinMs = 90_000

/** Waits until every holder of every shard has all of its records, and counts the holders. */
export const copies: Phase = {
  name: 'copies',
  async run(trial: Trial) {
    const { figures, progress } = trial
    let fewest = 0
    try {
      await until('all copies', { withinMs, everyMs: 1_000, signal: trial.signal }, async () => {
        const left = await recordsToCome(trial)
        if (left > 0) {
          progress.say(`${left} copies of records are to come`)
          return false
        }
        const counted = await countCopies(trial)
        fewest = Math.min(...counted.map(({ holders }) => holders))
        const behind = counted.filter(({ holders, wanted }) => holders < wanted).length
        if (behind > 0) progress.say(`${behind} shards wait for copies`)
        return behind === 0
      })
    } finally {
      figures.copiesPerShardMin = fewest
    }
  },
}

/** By each node's own sum: asking all of them for every shard they hold costs as much as the copying itself. */
export async function recordsToCome({ processes, ledger, signal }: Trial): Promise<number> {
  const states = await Promise.all(
    processes.homes.map((node) => node.admin('admin.status', { limit: 1 }, { signal })),
  )
  return ledger.records * copiesWanted - states.reduce((sum, { storage }) => sum + storage.records, 0)
}

export interface Counted {
  readonly number: number
  readonly wanted: number
  /** Running nodes that hold as many records of the shard as were written. */
  readonly holders: number
}

/** Asks every running home for everything it hosts. */
export async function countCopies(trial: Trial, only?: ReadonlySet<number>): Promise<Counted[]> {
  const { processes, ledger, signal } = trial
  const held = await Promise.all(processes.homes.map((node) => recordsHeld(node, signal)))
  const numbers = only === undefined ? [...ledger.ids.keys()] : [...only]
  return numbers.map((number) => {
    const id = ledger.ids[number] ?? ''
    const records = ledger.recordsOf(number)
    const holders = held.filter((of) => of.get(id) === records).length
    return { number, wanted: copiesWanted, holders }
  })
}

const copiesWanted = 4

/** Identity in hex -> how many of its records the node holds. */
export async function recordsHeld(node: NodeProcess, signal: AbortSignal): Promise<Map<string, number>> {
  const held = new Map<string, number>()
  let after: Uint8Array | undefined
  do {
    const request = { limit: 200, brief: true, ...(after && { after }) }
    const { hosted, next } = await node.admin('admin.status', request, { signal })
    for (const { identity, records } of hosted) held.set(toHex(identity), records)
    after = next ?? undefined
  } while (after !== undefined)
  return held
}
