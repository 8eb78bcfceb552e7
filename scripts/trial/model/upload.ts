import { setTimeout as sleep } from 'node:timers/promises'
import { persist } from '../../../cli/import/retry.ts'
import type { Transport } from '../../../client/transport.ts'
import { apiLimits } from '../../../protocol/api/limits.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { Ledger } from './ledger.ts'
import type { Draft } from './writer.ts'

const clock = { sleep: (ms: number, signal?: AbortSignal) => sleep(ms, undefined, signal && { signal }) }
/** While one is verified and stored the next is on its way and another is signed. */
const batchesMax = 3
const batchBytesMax = apiLimits.bodyBytesMax - 128 * 1024

/** Calls again while a refusal is one that passes: a busy node says so. */
export function patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return persist(call, clock, signal)
}

/** Sends records to one node and enters in the ledger what it took. Throws at the first refusal. */
export async function upload(
  node: { readonly public: Pick<Transport, 'call'> },
  drafts: Iterable<Draft>,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<number> {
  const underWay = new Set<Promise<void>>()
  let failure: unknown
  let count = 0
  const flush = async (batch: readonly Draft[]): Promise<void> => {
    while (underWay.size >= batchesMax) await Promise.race(underWay)
    if (failure !== undefined) throw failure
    const task: Promise<void> = send(node, batch, ledger, signal)
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => underWay.delete(task))
    underWay.add(task)
  }
  let batch: Draft[] = []
  let bytes = 0
  for (const draft of drafts) {
    if (batch.length === apiLimits.recordsPerPutMax || bytes + draft.bytes.length > batchBytesMax) {
      await flush(batch)
      batch = []
      bytes = 0
    }
    batch.push(draft)
    bytes += draft.bytes.length
    count++
  }
  if (batch.length > 0) await flush(batch)
  await Promise.all(underWay)
  if (failure !== undefined) throw failure
  return count
}

async function send(
  node: { readonly public: Pick<Transport, 'call'> },
  batch: readonly Draft[],
  ledger: Ledger,
  signal: AbortSignal,
): Promise<void> {
  const records = batch.map(({ bytes }) => bytes)
  const { results } = await patiently(() => node.public.call('record.put', { records }, { signal }), signal)
  for (const [i, draft] of batch.entries()) {
    const { outcome, id, code, message } = results[i] ?? {}
    if (outcome === 'refused' || id === undefined || id === null) {
      throw new Error(`a record of ${draft.collection} was refused: ${code} ${message}`)
    }
    ledger.add({ ...draft, id: toHex(id) })
  }
}
