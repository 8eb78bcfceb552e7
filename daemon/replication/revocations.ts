import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { numberListHash } from '../../protocol/identity/make.ts'
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
import type { Drop, Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import { Wake } from '../wake.ts'
import type { Holders } from './holders.ts'
import {
  begin,
  isSettled,
  limitOf,
  settle,
  unsettle,
  wasBegun,
  type Case,
  type Limit,
} from './revoked-lists.ts'

export interface RevocationsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly identities: Identities
  readonly hosting: Hosting
  readonly ingest: Ingest
  readonly holders: Holders
}

/** What could not be settled, as records or other holders' lists are still to come, is tried again. */
const retryMs = 10_000
/** Numbers that two records bear are tried in every combination up to so many; beyond, another holder is asked. */
const doubledMax = 10
/** A list of so many pages is not fetched: a device that wrote more asks for a person. */
const pagesMax = 1_000

/**
 * Makes a revocation take effect on records. In each shard that is kept here
 *  1. what the device wrote after the named number goes at once, and what it outshone is shown again;
 *  2. of the numbers up to it, only the records count that the revocation lists by hash. Where the own list has another
 *     hash (two records bear a number, or some are missing), other holders are asked for theirs;
 *  3. what was dropped comes back when the revocation loses against another branch of the log.
 * A group's member who was put out counts as their devices were revoked there.
 */
export class Revocations {
  readonly #parts: RevocationsParts
  readonly #waiting = new Map<string, Case>()
  readonly #wake = new Wake()

  constructor(parts: RevocationsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/numbers', async ({ from, body }) => {
      const { owner, device, after } = decodeNumbersAsk(body)
      if (!parts.holders.isHolder(owner, from))
        throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
      const numbers = await parts.store.records.numbers(owner, device)
      const page = numbers.filter(({ number }) => number > after).slice(0, numbersMax)
      return encodeNumbers(page.map(({ number, ref }) => ({ number, id: ref.id })))
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { identities, hosting, clock, log } = this.#parts
    const stop = identities.onGrown((state) => this.look(state.id))
    for (const { owner } of hosting.list()) this.look(owner)
    try {
      while (!signal.aborted) {
        for (const [name, one] of this.#waiting) {
          try {
            if (await this.#settle(one, signal)) this.#waiting.delete(name)
          } catch (error) {
            if (signal.aborted) return
            log.warn('revocation.failed', { shard: toHex(one.shard), error: String(error) })
          }
        }
        await this.#wake.wait(clock, signal, this.#waiting.size > 0 ? retryMs : undefined)
      }
    } finally {
      stop()
    }
  }

  /** The log says something new, or the shard has come to be whole here. */
  look(id: IdentityId): void {
    const { identities, store } = this.#parts
    for (const person of this.#peopleOf(id)) {
      for (const [name, { key: device, revoked }] of identities.get(person)?.devices ?? []) {
        const shards = new Map([[toHex(id), id]])
        for (const { owner } of revoked?.numbers.values() ?? []) shards.set(toHex(owner), owner)
        for (const shard of shards.values()) {
          const one = { shard, device, person }
          if (limitOf(identities, one) !== undefined || wasBegun(store, one))
            this.#waiting.set(`${toHex(shard)} ${name}`, one)
        }
      }
    }
    if (this.#waiting.size > 0) this.#wake.set()
  }

  /** Whose devices write in the shard of a group, or wrote: its members, now and before. */
  #peopleOf(id: IdentityId): readonly IdentityId[] {
    const state = this.#parts.identities.get(id)
    if (state?.type !== 'group') return [id]
    const former = [...state.formerMembers.keys()].map((name) => fromHex(name, 32) as IdentityId)
    return [...[...state.members.values()].map(({ identity }) => identity), ...former]
  }

  /** True when nothing is left to do. */
  async #settle(one: Case, signal: AbortSignal): Promise<boolean> {
    const { store, identities, ingest } = this.#parts
    const { shard, device } = one
    if (store.shards.get(shard) === undefined) return true
    const limit = limitOf(identities, one)
    if (limit === undefined) return this.#undo(one)
    if (isSettled(store, one, limit)) return true
    // What was found good before the log grew is on the disk once this is.
    await store.write(() => {})
    await begin(store, one)
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
    const numbers = await store.records.numbers(shard, device)
    // A listed record that is not here yet will come; until then its place is kept open.
    if (numbers.filter(({ number }) => number <= limit.lastNumber).length < list.length) return false
    await settle(store, one, limit)
    return true
  }

  /** The revocation does not hold: what it took away is taken in again, as any record is. */
  async #undo(one: Case): Promise<boolean> {
    const { shard, device, person } = one
    const { store, ingest, rpc } = this.#parts
    if (!wasBegun(store, one)) return true
    const from = store.shards.get(shard)?.status === 'partial' ? 'stream' : 'peer'
    let dropped = await store.records.allDropped(shard)
    while (dropped.length > 0) {
      const bytes = dropped.map((one) => one.bytes)
      await ingest.accept(bytes, { from, node: rpc.self })
      dropped = await store.records.allDropped(shard, dropped.at(-1)?.ref)
    }
    await unsettle(store, one)
    this.#parts.log.info('revocation.undone', { person: toHex(person), device: toHex(device) })
    return true
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

  /** The list that the revocation names, if it can be made of what is held. */
  #listAmong(one: Case, limit: Limit, held: readonly Held[]): Numbered[] | undefined {
    if (limit.lastNumber === 0) return []
    const { crypto } = this.#parts
    const byNumber = Map.groupBy(held, ({ number }) => number)
    const numbers = [...byNumber.keys()].toSorted((a, b) => a - b)
    const doubled = numbers.filter((number) => (byNumber.get(number)?.length ?? 0) > 1)
    if (doubled.length > doubledMax) return undefined
    for (let choice = 0; choice < 2 ** doubled.length; choice++) {
      const list = numbers.map((number) => {
        const at = doubled.indexOf(number)
        const rivals = byNumber.get(number) as Held[]
        const { ref } = rivals[at < 0 ? 0 : (choice >> at) & 1] as Held
        return { number, id: ref.id }
      })
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
      const ask = { owner: one.shard, device: one.device, after: list.at(-1)?.number ?? 0 }
      const body = encodeNumbersAsk(ask)
      const answer = decodeNumbers(await this.#parts.rpc.request(node, 'shard/numbers', body, { signal }))
      for (const numbered of answer) if (numbered.number <= last) list.push(numbered)
      if (answer.length < numbersMax || (answer.at(-1)?.number ?? 0) > last) return list
    }
    throw new OnehopError('TOO_LARGE', 'a list without an end')
  }
}

interface Held {
  readonly number: number
  readonly ref: Drop['ref']
}

/** What is held and not listed; where its number is another's, with that one, if it is here. */
function unlisted(held: readonly Held[], list: readonly Numbered[]): Drop[] {
  const listed = new Map(list.map(({ number, id }) => [number, toHex(id)]))
  const here = new Map(held.map((one) => [toHex(one.ref.id), one]))
  return held
    .filter(({ number, ref }) => listed.get(number) !== toHex(ref.id))
    .map(({ number, ref }) => ({ ref, rightful: { ref: here.get(listed.get(number) ?? '')?.ref } }))
}
