import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { epochsCollection, readersCollection } from '../../protocol/readers/collections.ts'
import { boxEpochOf, firstEpochUnder } from '../../protocol/readers/epoch.ts'
import { decodeReaders, pageOf } from '../../protocol/readers/page.ts'
import { openReadersChain, openReadersWrap, secretForReaders } from '../../protocol/readers/secret.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { Collection } from '../collection.ts'
import type { Identity } from '../identity/identity.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions } from '../transport.ts'

export interface ReadersPage {
  readonly page: number
  readonly sender: Uint8Array
  readonly readers: Uint8Array
}

export interface EpochLink {
  readonly epoch: number
  readonly before?: number | undefined
  readonly chain?: Uint8Array | undefined
}

interface Known {
  readonly secrets: Map<number, Uint8Array>
  missedMs: number | undefined
  /** One look-up after the other: the next may need no more. */
  tail: Promise<void>
}

/** As many epochs as one request asks for. */
const linksMax = 200

/**
 * The secrets under which others seal for those whom they approved, as far as this person is one of them. What their
 * nodes do not tell (yet) stays shut and is asked for again later, so it does not matter what arrives first.
 */
export class FollowerSecrets {
  readonly #identity: Identity | undefined
  readonly #parts: () => AppParts
  readonly #known = new Map<string, Known>()

  constructor(identity: Identity | undefined, parts: () => AppParts) {
    this.#identity = identity
    this.#parts = parts
  }

  /** `app`: another than this one, of this person's own. */
  ofEpoch(owner: IdentityId, epoch: number, app?: string): readonly Uint8Array[] {
    if (this.#isOwn(owner)) return this.#ownOf(epoch, app)
    const secret = this.#known.get(toHex(owner))?.secrets.get(epoch)
    return secret === undefined ? [] : [secret]
  }

  /** Of this person's own readers; undefined on a device that may not read private data. */
  ownOf(epoch: number): Uint8Array | undefined {
    return this.#ownOf(epoch)[0]
  }

  /** Something changed: what was asked for in vain is worth another question. */
  retry(): void {
    for (const known of this.#known.values()) known.missedMs = undefined
  }

  /** Throws when the caller gave up, and for nothing else: what cannot be opened is shown as such. */
  async learn(
    wanted: readonly { readonly owner: IdentityId; readonly epoch: number }[],
    options: CallOptions,
  ): Promise<void> {
    if (this.#identity === undefined) return
    const lacking = new Map<string, { readonly owner: IdentityId; readonly epochs: Set<number> }>()
    for (const { owner, epoch } of wanted) {
      if (this.#isOwn(owner) || this.ofEpoch(owner, epoch).length > 0) continue
      const name = toHex(owner)
      const of = lacking.get(name) ?? { owner, epochs: new Set() }
      lacking.set(name, of)
      of.epochs.add(epoch)
    }
    const queue = [...lacking.values()]
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        try {
          await this.#learnOf(next.owner, [...next.epochs], options)
        } catch (cause) {
          if (!(cause instanceof OnehopError) || options.signal?.aborted === true) throw cause
        }
      }
    }
    await Promise.all(Array.from({ length: clientLimits.identityFetchesMax }, worker))
  }

  #learnOf(owner: IdentityId, epochs: readonly number[], options: CallOptions): Promise<void> {
    const known = this.#of(owner)
    const run = known.tail.then(() => this.#lookUp(owner, known, epochs, options))
    known.tail = run.catch(() => undefined)
    return run
  }

  async #lookUp(
    owner: IdentityId,
    known: Known,
    wanted: readonly number[],
    options: CallOptions,
  ): Promise<void> {
    const { clock } = this.#parts()
    const epochs = wanted.filter((epoch) => !known.secrets.has(epoch))
    if (epochs.length === 0) return
    const nowMs = clock.monotonicMs()
    if (known.missedMs !== undefined && nowMs - known.missedMs < clientLimits.readersMissMs) return
    // Until all went well.
    known.missedMs = nowMs
    const asking = { signal: options.signal, timeoutMs: clientLimits.readersFetchMs, owner }
    const newest = Math.max(...epochs)
    if (Math.max(...known.secrets.keys(), 0) < newest) await this.#openWrap(known, asking)
    for (const epoch of epochs.toSorted((a, b) => b - a)) await this.#walkTo(epoch, known, asking)
    if (epochs.every((epoch) => known.secrets.has(epoch))) known.missedMs = undefined
  }

  async #openWrap(known: Known, asking: CallOptions & { readonly owner: IdentityId }): Promise<void> {
    const identity = this.#identity as Identity
    const parts = this.#parts()
    const page = pageOf(identity.id)
    const item = await new Collection<ReadersPage>(parts, readersCollection).get(page, asking)
    const { sender, readers } = item?.value ?? {}
    if (sender === undefined || readers === undefined) return
    const own = decodeReaders(readers, page).find(({ reader }) => equalBytes(reader, identity.id))
    const box = own && identity.boxes.of(own.boxKey)
    if (own === undefined || box === undefined) return
    const secret = openReadersWrap(parts.crypto, own.wrap, sender, box.secret)
    if (secret !== undefined) known.secrets.set(own.epoch, secret)
  }

  /** From the nearest later epoch that is known, one after the other. */
  async #walkTo(
    epoch: number,
    { secrets }: Known,
    asking: CallOptions & { readonly owner: IdentityId },
  ): Promise<void> {
    const parts = this.#parts()
    const links = new Collection<EpochLink>(parts, epochsCollection)
    let at = Math.min(...[...secrets.keys()].filter((later) => later >= epoch))
    while (Number.isFinite(at) && at > epoch && secrets.size < clientLimits.readersEpochsMax) {
      const last = Math.max(epoch + 1, firstEpochUnder(boxEpochOf(at)), at - linksMax + 1)
      const numbers = Array.from({ length: at - last + 1 }, (_, i) => at - i)
      const found = await links.getMany(numbers, asking)
      for (const [i, number] of numbers.entries()) {
        if (number !== at) continue
        const { before, chain } = found[i]?.value ?? {}
        if (before === undefined || chain === undefined || before >= at) return
        const of = { owner: asking.owner, app: parts.app, epoch: at }
        const secret = openReadersChain(parts.crypto, secrets.get(at) as Uint8Array, of, before, chain)
        if (secret === undefined) return
        secrets.set(before, secret)
        at = before
      }
    }
  }

  #of(owner: IdentityId): Known {
    const name = toHex(owner)
    const known: Known = this.#known.get(name) ?? {
      ...{ secrets: new Map<number, Uint8Array>(), missedMs: undefined, tail: Promise.resolve() },
    }
    // Re-inserted at the end: the map's order is the order of use.
    this.#known.delete(name)
    this.#known.set(name, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > clientLimits.readersOwnersMax && oldest !== undefined) this.#known.delete(oldest)
    return known
  }

  /** The first for what is to be sealed. */
  #ownOf(epoch: number, app: string = this.#parts().app): readonly Uint8Array[] {
    const identity = this.#identity
    if (identity === undefined) return []
    const { crypto } = this.#parts()
    const of = { owner: identity.id, app, epoch }
    return identity.boxes.ofEpoch(boxEpochOf(epoch)).map((box) => secretForReaders(crypto, box, of))
  }

  #isOwn(owner: IdentityId): boolean {
    return this.#identity !== undefined && equalBytes(this.#identity.id, owner)
  }
}
