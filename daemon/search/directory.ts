import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { scopeChain } from '../../protocol/scope.ts'
import { verifyAdvert, type SignedAdvert } from '../../protocol/search/advert.ts'
import {
  decodeAnnouncements,
  encodeAnnouncements,
  type Announcement,
} from '../../protocol/search/exchange.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import { aggregatorKey } from '../../protocol/search/log.ts'
import { withDeadline } from '../net/deadline.ts'
import type { NodeId } from '../net/rpc.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts } from './parts.ts'

type DirectoryParts = Pick<SearchParts, 'rpc' | 'routing' | 'crypto' | 'clock' | 'log'> & {
  /** Adverts of this node. */
  readonly own: () => readonly Announcement[]
}

export interface Listed {
  readonly advert: SignedAdvert
  readonly node: NodeId
  readonly missing: readonly string[]
}

const emptyRequest = encodeAnnouncements([])

/**
 * Which aggregators there are, from adverts that their nodes signed. They come from peers as soon as they connect,
 * so that a neighbourhood waits for no DHT, and from the DHT for scopes that nobody around knows of.
 */
export class Directory {
  readonly #parts: DirectoryParts
  readonly #listed = new Map<string, Listed>()
  /** Scopes that the DHT had nothing for, until when that is believed, and for how long the next time. */
  readonly #absent = new Map<string, { untilMs: number; nextMs: number }>()
  readonly #awayUntilMs = new Map<NodeId, number>()
  readonly #asking = new Map<NodeId, Promise<void>>()
  readonly #listeners = new Set<() => void>()

  constructor(parts: DirectoryParts) {
    this.#parts = parts
    parts.rpc.handle('search/adverts', async ({ body }) => {
      decodeAnnouncements(body)
      const heard = this.#current().map(({ advert, missing }) => ({ advert: advert.packed, missing }))
      return encodeAnnouncements([...parts.own(), ...heard].slice(0, searchLimits.announcementsMax))
    })
  }

  /** Aggregators for the app, away ones last; then complete ones first, then by id, the same for everybody. */
  list(app: string): Listed[] {
    const order = ({ node, advert }: Listed): string =>
      `${this.isAway(node) ? 1 : 0}${advert.complete ? 0 : 1}${node}`
    return this.#current()
      .filter(({ advert }) => advert.app === app || advert.app === '*')
      .sort((a, z) => (order(a) < order(z) ? -1 : 1))
  }

  /** The aggregator of the longest scope that `scope` lies in. */
  nearest(app: string, scope: string, fits: (listed: Listed) => boolean = () => true): Listed | undefined {
    const list = this.list(app).filter((listed) => !this.isAway(listed.node) && fits(listed))
    for (const level of scopeChain(scope).toReversed()) {
      const found = list.find(({ advert }) => advert.scope === level)
      if (found !== undefined) return found
    }
    return undefined
  }

  get(node: NodeId, scope: string): Listed | undefined {
    return this.#current().find((listed) => listed.node === node && listed.advert.scope === scope)
  }

  /** Passed over for a while when somewhere is to be registered; a query may still try. */
  markAway(node: NodeId, forMs: number): void {
    this.#awayUntilMs.set(node, this.#parts.clock.monotonicMs() + forMs)
    for (const listener of this.#listeners) listener()
  }

  markHere(node: NodeId): void {
    this.#awayUntilMs.delete(node)
  }

  isAway(node: NodeId): boolean {
    return (this.#awayUntilMs.get(node) ?? 0) > this.#parts.clock.monotonicMs()
  }

  isAbsent(app: string, scope: string): boolean {
    return (this.#absent.get(`${app} ${scope}`)?.untilMs ?? 0) > this.#parts.clock.monotonicMs()
  }

  /** Calls back when an aggregator appears or is given up; returns the way to stop. */
  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes adverts from whoever passes them on: their nodes signed them. */
  learn(announcements: readonly Announcement[], from: NodeId): void {
    const { crypto, clock, rpc, routing, log } = this.#parts
    let isNews = false
    for (const { advert: packed, missing } of announcements) {
      const advert = verifyAdvert(crypto, packed)
      if (advert === undefined) {
        log.warn('search.advert-forged', { from })
        continue
      }
      const node = toHex(advert.node)
      const nowMs = clock.nowMs()
      const isDated = advert.expiresMs <= nowMs || advert.asOfMs > nowMs + searchNodeLimits.advertValidityMs
      if (node === rpc.self || isDated) continue
      const name = `${node} ${advert.app} ${advert.scope}`
      const before = this.#listed.get(name)
      if (before !== undefined && before.advert.asOfMs > advert.asOfMs) continue
      isNews ||= before === undefined
      this.#listed.delete(name)
      // What a third node says of somebody's gaps is no better than what that one said itself.
      this.#listed.set(name, {
        advert,
        node,
        missing: from === node ? missing : (before?.missing ?? missing),
      })
      if (before === undefined) {
        routing.learn({ node, addresses: advert.addresses }).catch((error: unknown) => {
          log.debug('search.address', { node, error: String(error) })
        })
      }
      if (this.#listed.size > searchNodeLimits.advertsMax) {
        this.#listed.delete(this.#listed.keys().next().value as string)
      }
    }
    if (isNews) for (const listener of this.#listeners) listener()
  }

  /** Asks a peer for the aggregators that it is or knows. One question at a time; a silent peer is no error. */
  ask(node: NodeId, signal: AbortSignal): Promise<void> {
    const underWay = this.#asking.get(node)
    if (underWay !== undefined) return underWay
    const asked = this.#ask(node, signal).finally(() => this.#asking.delete(node))
    this.#asking.set(node, asked)
    return asked
  }

  /** Asks every peer, now and whenever one connects, until the signal aborts. */
  async run(everyMs: number, signal: AbortSignal): Promise<void> {
    const { rpc, clock } = this.#parts
    const stop = rpc.onPeer((peer, state) => {
      if (state === 'connected') void this.ask(peer, signal)
    })
    try {
      while (!signal.aborted) {
        for (const peer of rpc.connected()) void this.ask(peer, signal)
        await clock.sleep(everyMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stop()
      await Promise.all(this.#asking.values())
    }
  }

  /** Looks a scope's aggregators up in the DHT, within a deadline. True when one is known afterwards. */
  async find(app: string, scope: string, signal: AbortSignal): Promise<boolean> {
    const { clock, crypto, log, routing } = this.#parts
    const known = (): boolean => this.list(app).some(({ advert }) => advert.scope === scope)
    if (this.isAbsent(app, scope)) return known()
    try {
      await withDeadline(clock, searchNodeLimits.findTimeoutMs, signal, async (deadline) => {
        await Promise.all(
          [app, '*'].map(async (name) => {
            for await (const { node } of routing.findProviders(
              aggregatorKey(crypto.sha256, name, scope),
              deadline,
            )) {
              await this.ask(node, deadline)
              if (known()) return
            }
          }),
        )
      })
    } catch (error) {
      signal.throwIfAborted()
      log.debug('search.find-failed', { scope, code: asOnehopError(error).code })
    }
    if (known()) return true
    this.#setAbsent(`${app} ${scope}`)
    return false
  }

  /** Most towns never have an aggregator: a look-up that costs the DHT a whole query is made ever more rarely. */
  #setAbsent(name: string): void {
    const { absentMs, absentMsMax, scopesMax } = searchNodeLimits
    const forMs = this.#absent.get(name)?.nextMs ?? absentMs
    this.#absent.delete(name)
    const untilMs = this.#parts.clock.monotonicMs() + forMs
    this.#absent.set(name, { untilMs, nextMs: Math.min(absentMsMax, forMs * 4) })
    if (this.#absent.size > scopesMax) this.#absent.delete(this.#absent.keys().next().value as string)
  }

  async #ask(node: NodeId, signal: AbortSignal): Promise<void> {
    const { rpc, log } = this.#parts
    try {
      const timeoutMs = searchNodeLimits.advertsTimeoutMs
      const reply = await rpc.request(node, 'search/adverts', emptyRequest, { signal, timeoutMs })
      this.learn(decodeAnnouncements(reply), node)
    } catch (error) {
      if (!signal.aborted) log.debug('search.adverts-failed', { node, code: asOnehopError(error).code })
    }
  }

  #current(): Listed[] {
    const nowMs = this.#parts.clock.nowMs()
    return [...this.#listed.values()].filter(({ advert }) => advert.expiresMs > nowMs)
  }
}

export function nodeBytes(node: NodeId): Uint8Array {
  return fromHex(node, 32) as Uint8Array
}
