import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { numberListHash } from '../../protocol/identity/make.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import {
  decodeNumbers,
  decodeNumbersAsk,
  encodeNumbers,
  encodeNumbersAsk,
  numbersMax,
  type Numbered,
} from '../../protocol/replication/messages.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Drop, Store, StoredRecord } from '../../storage/types.ts'
import type { Identities } from '../identities.ts'
import type { Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import { Wake } from '../wake.ts'
import type { Holders } from './holders.ts'
import { endWork, isSame, keepWork, limitOf, workOn, type Case, type Limit } from './revoked-lists.ts'

export interface RevocationsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly identities: Identities
  readonly ingest: Ingest
  readonly holders: Holders
}

/** What could not be settled, as records or other holders' lists are still to come, is tried again, ever more seldom. */
const retryMs = 10_000
const retryMsMax = 600_000
/** A list of so many pages is not fetched: a device that wrote more asks for a person. */
const pagesMax = 1_000

interface Waiting {
  readonly one: Case
  dueMs: number
  pauseMs: number
}

/**
 * Makes a revocation take effect on records. In each shard that is kept here
 *  1. what the device wrote after the named number goes at once, and what it outshone is shown again;
 *  2. of the numbers up to it, only the records count that the revocation lists by hash. Where the own list has another
 *     hash (two records bear a number, or some are missing), other holders are asked for theirs;
 *  3. when the log comes to say otherwise, what was dropped is taken in again before the new limit is worked on.
 * A group's member who was put out counts as their devices were revoked there; a device or a member that only a branch
 * which lost has admitted, as revoked with number 0.
 */
export class Revocations {
  readonly #parts: RevocationsParts
  readonly #waiting = new Map<string, Waiting>()
  readonly #wake = new Wake()

  constructor(parts: RevocationsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/numbers', async ({ from, body }) => {
      const { owner, device, after } = decodeNumbersAsk(body)
      if (!parts.holders.isHolder(owner, from))
        throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
      const { records } = parts.store
      const page = await records.numbers(owner, device, { after, limit: numbersMax })
      // The number of a record that was dropped stays taken, and proves nothing.
      const held = page.filter(({ ref }) => records.get(owner, ref) !== undefined)
      return encodeNumbers(held.map(({ number, ref }) => ({ number, id: ref.id })))
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { identities, clock, log } = this.#parts
    const stop = identities.onGrown((state) => this.look(state.id))
    for (const id of await identities.unsettled()) this.look(id)
    try {
      while (!signal.aborted) {
        for (const [name, waiting] of this.#waiting) {
          if (waiting.dueMs > clock.monotonicMs()) continue
          try {
            if (await this.#settle(waiting.one, signal)) this.#waiting.delete(name)
          } catch (error) {
            if (signal.aborted) return
            log.warn('revocation.failed', { shard: toHex(waiting.one.shard), error: String(error) })
          }
          waiting.dueMs = clock.monotonicMs() + waiting.pauseMs
          waiting.pauseMs = Math.min(waiting.pauseMs * 2, retryMsMax)
        }
        await this.#wake.wait(clock, signal, this.#pauseMs())
      }
    } finally {
      stop()
    }
  }

  /** The log says something new, or the shard has come to be whole here. */
  look(id: IdentityId): void {
    const { identities, store } = this.#parts
    for (const person of this.#peopleOf(id)) {
      const state = identities.get(person)
      for (const device of state === undefined ? [] : devicesEver(state)) {
        const shards = new Map([[toHex(id), id]])
        const numbers = state?.devices.get(toHex(device))?.revoked?.numbers
        for (const { owner } of numbers?.values() ?? []) shards.set(toHex(owner), owner)
        for (const shard of shards.values()) {
          const one = { shard, device, person }
          if (limitOf(identities, one) !== undefined || workOn(store, one) !== undefined)
            this.#waiting.set(`${toHex(shard)} ${toHex(device)}`, { one, dueMs: 0, pauseMs: retryMs })
        }
      }
    }
    if (this.#waiting.size > 0) this.#wake.set()
  }

  /** Whose devices write in the shard of a group, or wrote: everybody whom its log ever named. */
  #peopleOf(id: IdentityId): readonly IdentityId[] {
    const state = this.#parts.identities.get(id)
    if (state?.type !== 'group') return [id]
    const named = state.entries.flatMap(({ author, body }) => {
      const members =
        body.kind === 'genesisGroup' ? body.members : body.kind === 'addMember' ? [body.member] : []
      return [...members.map(({ identity }) => identity), ...(author === undefined ? [] : [author])]
    })
    return [...new Map(named.map((person) => [toHex(person), person])).values()]
  }

  #pauseMs(): number | undefined {
    if (this.#waiting.size === 0) return undefined
    const nowMs = this.#parts.clock.monotonicMs()
    return Math.max(0, Math.min(...[...this.#waiting.values()].map(({ dueMs }) => dueMs - nowMs)))
  }

  /** True when nothing is left to do. */
  async #settle(one: Case, signal: AbortSignal): Promise<boolean> {
    const { store, identities, ingest } = this.#parts
    const { shard, device } = one
    if (store.shards.get(shard) === undefined) return true
    const limit = limitOf(identities, one)
    const before = workOn(store, one)
    if (limit === undefined && before === undefined) return true
    if (limit !== undefined && before?.isSettled === true && isSame(before, limit)) return true
    // What was found good before the log grew is on the disk once this is.
    await store.write(() => {})
    if (before !== undefined && (limit === undefined || !isSame(before, limit))) await this.#bringBack(one)
    if (limit === undefined) {
      await endWork(store, one)
      return true
    }
    await keepWork(store, one, { ...limit, isSettled: false })
    const held = await this.#held(shard, device)
    const late = held.filter(({ number }) => number > limit.lastNumber)
    if (late.length > 0) {
      await ingest.drop(
        shard,
        late.map(({ ref }) => ({ ref })),
      )
    }
    const early = held.filter(({ number }) => number <= limit.lastNumber)
    // Of somebody followed from here only some collections are kept: their list cannot be told.
    if (store.shards.get(shard)?.status === 'partial') return true
    const list = this.#listAmong(one, limit, early) ?? (await this.#ask(one, limit, signal))
    if (list === undefined) return false
    const drops = unlisted(early, list)
    if (drops.length > 0) await ingest.drop(shard, drops)
    // A listed record that is not here yet will come; until then its place is kept open.
    const ids = new Set(early.map(({ ref }) => toHex(ref.id)))
    if (!list.every(({ id }) => ids.has(toHex(id)))) return false
    await keepWork(store, one, { ...limit, isSettled: true })
    return true
  }

  /** What was dropped of the device, as far as it counts by what the log says now. */
  async #bringBack({ shard, device, person }: Case): Promise<void> {
    const { store, ingest, log } = this.#parts
    let after: StoredRecord['ref'] | undefined
    let count = 0
    do {
      const page = await store.records.allDropped(shard, after)
      after = page.at(-1)?.ref
      const own = page.filter((one) => equalBytes(decodeStored(one).header.device, device))
      count += await ingest.bringBack(own)
    } while (after !== undefined)
    log.info('revocation.undone', { person: toHex(person), device: toHex(device), records: count })
  }

  /** All records of the device that are held, those too that bear a number twice. */
  async #held(shard: IdentityId, device: DeviceKey): Promise<Held[]> {
    const { store } = this.#parts
    const held: Held[] = await store.records.numbers(shard, device)
    const doubled = await store.records.equivocations(shard)
    const more = doubled.filter((one) => equalBytes(one.device, device))
    return [...held, ...more.map(({ number, second }) => ({ number, ref: second }))].filter(
      ({ ref }) => store.records.get(shard, ref) !== undefined,
    )
  }

  /**
   * The list that the revocation names, if it is that of what came first, which is what this node told the owner, or of
   * what came last. Trying all ways of choosing would cost the thief nothing and this node its thread.
   */
  #listAmong(one: Case, limit: Limit, held: readonly Held[]): Numbered[] | undefined {
    if (limit.lastNumber === 0) return []
    const { crypto } = this.#parts
    const numbers = [...Map.groupBy(held, ({ number }) => number)].toSorted(([a], [b]) => a - b)
    for (const at of [0, -1]) {
      const list = numbers.map(([number, rivals]) => ({ number, id: (rivals.at(at) as Held).ref.id }))
      if (equalBytes(numberListHash(crypto, one.shard, one.device, list), limit.listHash)) return list
    }
    return undefined
  }

  /** Another holder's list: its hash proves it. */
  async #ask(one: Case, limit: Limit, signal: AbortSignal): Promise<Numbered[] | undefined> {
    const { crypto, holders, log } = this.#parts
    for (const node of holders.others(one.shard)) {
      try {
        const list = await this.#listOf(node, one, limit.lastNumber, signal)
        if (equalBytes(numberListHash(crypto, one.shard, one.device, list), limit.listHash)) return list
      } catch (error) {
        signal.throwIfAborted()
        log.debug('revocation.list-failed', { node, code: asOnehopError(error).code })
      }
    }
    return undefined
  }

  async #listOf(node: NodeId, one: Case, last: number, signal: AbortSignal): Promise<Numbered[]> {
    const list: Numbered[] = []
    for (let page = 0; page < pagesMax; page++) {
      const after = list.at(-1)?.number ?? 0
      const body = encodeNumbersAsk({ owner: one.shard, device: one.device, after })
      const answer = decodeNumbers(await this.#parts.rpc.request(node, 'shard/numbers', body, { signal }))
      let before = after
      for (const { number } of answer) {
        if (number <= before) throw new OnehopError('BAD_MESSAGE', 'a list of numbers ascends')
        before = number
      }
      list.push(...answer.filter(({ number }) => number <= last))
      // Those in between may have been dropped there: an answer of none ends the list.
      if (answer.length === 0 || before >= last) return list
    }
    throw new OnehopError('TOO_LARGE', 'a list without an end')
  }
}

interface Held {
  readonly number: number
  readonly ref: Drop['ref']
}

/** Every device that the log ever named, on whichever branch. */
function devicesEver({ entries }: IdentityState): DeviceKey[] {
  return entries.flatMap(({ body }) =>
    body.kind === 'genesisPerson' || body.kind === 'addDevice' ? [body.device.key] : [],
  )
}

/** What is held and not listed; where its number is another's, with that one, if it is here. */
function unlisted(held: readonly Held[], list: readonly Numbered[]): Drop[] {
  const listed = new Map(list.map(({ number, id }) => [number, toHex(id)]))
  const here = new Map(held.map((one) => [toHex(one.ref.id), one]))
  return held
    .filter(({ number, ref }) => listed.get(number) !== toHex(ref.id))
    .map(({ number, ref }) => ({ ref, rightful: { ref: here.get(listed.get(number) ?? '')?.ref } }))
}
