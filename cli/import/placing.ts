/** Replica sets for many people at once: the node proposes, each person's device signs, the node commits. */
import type { Transport } from '../../client/transport.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { ImportedPerson } from './people.ts'
import { persist } from './retry.ts'

export interface PlacingOptions {
  readonly names: Iterable<string>
  readonly person: (name: string) => ImportedPerson
  /** False for people whom the node did not take in. */
  readonly isTaken: (name: string) => boolean
  /** Some were here before: leave those in peace that have their replicas. */
  readonly again: boolean
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly clock: Pick<Clock, 'sleep'>
  readonly signal: AbortSignal | undefined
}

export interface PlacingStep {
  readonly placed: number
  readonly refused: number
  readonly reason: string | undefined
}

/** Many more shards gather leases in one message than fit here; the reply is what bounds it. */
const ownersPerRequest = limits.placementShardsMax
/** Gathering leases waits for neighbours: another batch goes on meanwhile. */
const requestsMax = 3
const placingTimeoutMs = 60_000

export async function* placePeople(options: PlacingOptions): AsyncGenerator<PlacingStep> {
  const placedBefore = options.again ? await findPlaced(options) : new Set<string>()
  const underWay: Promise<PlacingStep>[] = []
  let batch: ImportedPerson[] = []
  for (const name of options.names) {
    if (!options.isTaken(name)) continue
    const person = options.person(name)
    if (placedBefore.has(toHex(person.state.id))) continue
    batch.push(person)
    if (batch.length < ownersPerRequest) continue
    underWay.push(place(batch, options))
    batch = []
    if (underWay.length >= requestsMax) yield underWay.shift() as Promise<PlacingStep>
  }
  if (batch.length > 0) underWay.push(place(batch, options))
  for (const step of underWay) yield step
}

async function place(people: readonly ImportedPerson[], options: PlacingOptions): Promise<PlacingStep> {
  const { call, clock, crypto, signal } = options
  const callOptions = { signal, timeoutMs: placingTimeoutMs }
  const owners = people.map(({ state }) => state.id)
  const seeds = new Map(people.map(({ state, device }) => [toHex(state.id), device.seed]))
  const { proposals } = await persist(() => call('placement.propose', { owners }, callOptions), clock, signal)
  const replicaSets = proposals.flatMap(({ owner, unsigned }) => {
    const seed = seeds.get(toHex(owner))
    return seed === undefined ? [] : [packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, seed)])]
  })
  if (replicaSets.length === 0)
    return { placed: 0, refused: people.length, reason: 'the node proposed nothing' }
  const { results } = await persist(
    () => call('placement.commit', { replicaSets }, callOptions),
    clock,
    signal,
  )
  const placed = results.filter(({ code }) => code === null).length
  const problem = results.find(({ code }) => code !== null)
  const reason = problem === undefined ? undefined : `${problem.code}: ${problem.message}`
  return { placed, refused: people.length - placed, reason }
}

/** Whose replicas the node knows of, page by page. */
async function findPlaced({ call, signal }: PlacingOptions): Promise<Set<string>> {
  const found = new Set<string>()
  let after: Uint8Array | undefined
  do {
    const limit = apiLimits.hostedPerStatusMax
    const request = after === undefined ? { limit } : { limit, after }
    const status = await call('admin.status', request, { signal })
    // A person without a replica set wants the one copy that is here.
    for (const { identity, copiesWanted } of status.hosted) if (copiesWanted > 1) found.add(toHex(identity))
    after = status.next ?? undefined
  } while (after !== undefined)
  return found
}
