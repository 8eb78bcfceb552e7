import { toHex } from '../../../protocol/bytes.ts'
import { packReplicaSet, signReplicaSet } from '../../../protocol/placement/replica-set.ts'
import { limits } from '../../../protocol/limits.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Ledger } from './ledger.ts'
import { patiently } from './upload.ts'
import type { Writer } from './writer.ts'

const placingTimeoutMs = 60_000
const requestsMax = 2

/** Takes people in at their home node and gives each shard its signed replica set. */
export async function settle(
  node: NodeProcess,
  numbers: readonly number[],
  { writer, ledger, signal }: { writer: Writer; ledger: Ledger; signal: AbortSignal },
): Promise<void> {
  for (const part of portions(numbers, limits.placementShardsMax)) {
    const hosts = part.map((number) => ({ log: writer.person(number).log, label: `person ${number}` }))
    const { results } = await patiently(() => node.admin('admin.host.add', { hosts }, { signal }), signal)
    const refused = results.find(({ code }) => code !== null)
    if (refused !== undefined) throw new Error(`${node.plan.name} takes a person not in: ${refused.message}`)
  }
  const underWay = new Set<Promise<void>>()
  let failure: unknown
  for (const part of portions(numbers, limits.placementShardsMax)) {
    while (underWay.size >= requestsMax) await Promise.race(underWay)
    const task: Promise<void> = place(node, part, { writer, ledger, signal })
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => underWay.delete(task))
    underWay.add(task)
  }
  await Promise.all(underWay)
  if (failure !== undefined) throw failure
}

async function place(
  node: NodeProcess,
  numbers: readonly number[],
  { writer, ledger, signal }: { writer: Writer; ledger: Ledger; signal: AbortSignal },
): Promise<void> {
  const options = { signal, timeoutMs: placingTimeoutMs }
  const owners = numbers.map((number) => writer.id(number))
  const { proposals } = await patiently(() => node.admin('placement.propose', { owners }, options), signal)
  const replicaSets = proposals.map(({ owner, unsigned }) => {
    const { device } = writer.person(ledger.numberOf(owner) as number)
    return packReplicaSet(unsigned, [signReplicaSet(writer.crypto, unsigned, device.seed)])
  })
  const { results } = await patiently(
    () => node.public.call('placement.commit', { replicaSets }, options),
    signal,
  )
  for (const [i, { code, message, members }] of results.entries()) {
    if (code !== null) throw new Error(`${node.plan.name} refuses a replica set: ${code} ${message}`)
    ledger.members[ledger.numberOf(proposals[i]?.owner ?? '') as number] = members.map(toHex)
  }
}

export function portions<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
