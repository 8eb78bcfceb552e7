import { emptyBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, type ErrorCode, OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import { advance } from '../../protocol/stream/advance.ts'
import { decodeListed, encodeList, type Listed } from '../../protocol/stream/listing.ts'
import type { Batch, Cursor, Push, Pushed, Receipt } from '../../protocol/stream/messages.ts'
import {
  decodeFollowed,
  decodePush,
  decodeStop,
  encodeFollow,
  encodePushed,
} from '../../protocol/stream/wire.ts'
import { limits } from '../../protocol/limits.ts'
import type { Identities } from '../identities.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Delivery, Intake } from './intake.ts'
import { compareRefs } from './source.ts'
import { retryAfterMs, streamLimits } from './stream-limits.ts'
import { Wake } from '../wake.ts'
import type { Wanted, WantedAuthors } from './wanted.ts'

export interface FollowingParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly identities: Identities
  readonly intake: Intake
  readonly wanted: WantedAuthors
  /** Collections that are carried for an app. */
  readonly collections: (app: string) => ReadonlySet<string>
  /** Is it too long since this node was heard? */
  readonly isSuspect: (node: NodeId) => boolean
  /** The source is of no use for this author now: find another, or this one later. */
  readonly onLost: (wanted: Wanted) => void
}

interface Line {
  /** Authors to list or register with this node. */
  readonly queue: Set<Wanted>
  /** Authors whose source it is. */
  readonly members: Set<Wanted>
  readonly wake: Wake
  task: Promise<void> | undefined
}

/** How far the listing of one author came. */
interface Progress {
  before: RecordRef | undefined
  cursor: Cursor | undefined
  pages: number
  /** Something of it cannot be judged yet. */
  waits: boolean
}

/** Refusals after which a list is read once more; of others it brought all there is. */
const lastsShortly: ReadonlySet<ErrorCode> = new Set(['CLOCK_AHEAD', 'STORE_FULL', 'BUSY'])
/** Pages of one author in one listing: a bound on a source that never comes to an end. */
const listPagesMax = 64

/** The serving side: one registration with each source for all authors wanted of it, and what they push. */
export class Following {
  readonly #parts: FollowingParts
  readonly #lines = new Map<NodeId, Line>()
  readonly #turns = new Map<NodeId, Promise<unknown>>()
  #signal: AbortSignal | undefined

  constructor(parts: FollowingParts) {
    this.#parts = parts
    parts.rpc.handle('stream/push', async ({ from, body }) => {
      const push = decodePush(body)
      return encodePushed(await this.#inTurn(from, () => this.#push(from, push)))
    })
    parts.rpc.handle('stream/end', async ({ from, body }) => {
      const { app, authors } = decodeStop(body)
      this.#ended(from, app, authors)
      return emptyBytes
    })
  }

  /** The source holds these authors no more: somebody else does. */
  #ended(from: NodeId, app: string, authors: readonly IdentityId[]): void {
    for (const author of authors) {
      const wanted = this.#parts.wanted.get(app, toHex(author))
      if (wanted === undefined || !isSource(wanted, from)) continue
      this.#parts.log.debug('stream.ended', { node: from, author: wanted.name })
      this.#parts.onLost(wanted)
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const stop = this.#parts.rpc.onPeer((peer, state) => {
      if (state === 'connected') this.#back(peer)
    })
    for (const [node, line] of this.#lines) this.#start(node, line)
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    stop()
    await Promise.all([...[...this.#lines.values()].map(({ task }) => task), ...this.#turns.values()])
  }

  /** Makes this node the author's source. */
  ask(wanted: Wanted, node: NodeId): void {
    this.leave(wanted)
    const source = wanted.cursor?.source
    if (source === undefined || toHex(source) !== node) wanted.mustList = true
    wanted.place = { state: 'asking', node }
    const line = this.#lines.get(node) ?? {
      queue: new Set(),
      members: new Set(),
      wake: new Wake(),
      task: undefined,
    }
    this.#lines.set(node, line)
    line.members.add(wanted)
    line.queue.add(wanted)
    this.#start(node, line)
  }

  /** Says nothing to the source: what it pushes next is answered with `stop`. */
  leave(wanted: Wanted): void {
    if (wanted.place.state !== 'asking' && wanted.place.state !== 'following') return
    const { node } = wanted.place
    const line = this.#lines.get(node)
    line?.members.delete(wanted)
    line?.queue.delete(wanted)
    if (line !== undefined && line.members.size === 0) {
      line.wake.set()
      if (line.task === undefined) this.#lines.delete(node)
    }
  }

  /** Registers once more with the node that is the source already. */
  again(wanted: Wanted): void {
    if (wanted.place.state === 'asking' || wanted.place.state === 'following')
      this.ask(wanted, wanted.place.node)
  }

  /** Sources and how many authors come from each. */
  sources(): { node: NodeId; authors: number }[] {
    return [...this.#lines].map(([node, { members }]) => ({ node, authors: members.size }))
  }

  /** Every author whose source was not heard for too long looks for another. */
  leaveSuspects(): void {
    for (const [node, line] of this.#lines) {
      if (!this.#parts.isSuspect(node)) continue
      for (const wanted of [...line.members]) this.#parts.onLost(wanted)
    }
  }

  #back(node: NodeId): void {
    const line = this.#lines.get(node)
    if (line === undefined) return
    for (const wanted of line.members) if (wanted.place.state === 'following') line.queue.add(wanted)
    line.wake.set()
    this.#start(node, line)
  }

  #start(node: NodeId, line: Line): void {
    if (this.#signal === undefined || this.#signal.aborted || line.task !== undefined) return
    if (line.queue.size === 0) return
    line.task = this.#talk(node, line, this.#signal)
      .catch((error: unknown) => this.#parts.log.error('stream.follow-fault', { node, error: String(error) }))
      .finally(() => {
        line.task = undefined
        if (line.queue.size > 0) this.#start(node, line)
        else if (line.members.size === 0 && this.#lines.get(node) === line) this.#lines.delete(node)
      })
  }

  async #talk(node: NodeId, line: Line, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    let failures = 0
    while (!signal.aborted && line.queue.size > 0) {
      try {
        const group = groupOf(line.queue)
        const isGood = group.lists
          ? await this.#list(node, line, group.authors, signal)
          : await this.#follow(node, line, group.authors, signal)
        failures = isGood ? 0 : failures + 1
      } catch (error) {
        if (signal.aborted) return
        failures++
        log.debug('stream.follow-failed', { node, code: asOnehopError(error).code, error: String(error) })
        // An author who never came from here may as well come from another holder at once.
        for (const wanted of [...line.queue]) {
          const isOurs =
            wanted.cursor !== undefined && toHex(wanted.cursor.source) === node && !wanted.mustList
          if (!isOurs || this.#parts.isSuspect(node)) this.#parts.onLost(wanted)
        }
      }
      if (failures > 0) await line.wake.wait(clock, signal, retryAfterMs(failures))
    }
  }

  async #list(node: NodeId, line: Line, authors: readonly Wanted[], signal: AbortSignal): Promise<boolean> {
    const { rpc } = this.#parts
    const app = (authors[0] as Wanted).app
    const deletes = (authors[0] as Wanted).cursor !== undefined
    const collections = [...this.#parts.collections(app)]
    const places = new Map<Wanted, Progress>()
    for (const wanted of authors)
      places.set(wanted, { before: undefined, cursor: undefined, pages: 0, waits: false })
    while (places.size > 0) {
      const asked = [...places].map(([{ author }, { before }]) => ({ author, before }))
      const body = encodeList({ app, collections, latest: streamLimits.listLatest, deletes, authors: asked })
      const timeoutMs = streamLimits.requestTimeoutMs
      const listed = decodeListed(await rpc.request(node, 'stream/list', body, { signal, timeoutMs }))
      await this.#takeList(node, line, listed, places)
    }
    return true
  }

  async #takeList(
    node: NodeId,
    line: Line,
    { source, parts }: Listed,
    places: Map<Wanted, Progress>,
  ): Promise<void> {
    const { intake, wanted: all, log, collections, onLost } = this.#parts
    if (toHex(source) !== node || parts.length === 0)
      throw new OnehopError('BAD_MESSAGE', 'not a list of its own')
    const deliveries: Delivery[] = []
    const done: Wanted[] = []
    const asked = [...places.keys()]
    for (const [i, part] of parts.entries()) {
      const wanted = asked[i]
      if (wanted === undefined || !equalBytes(wanted.author, part.author)) {
        throw new OnehopError('BAD_MESSAGE', 'a list of authors who were not asked for')
      }
      const place = places.get(wanted) as Progress
      if (!line.queue.has(wanted) || !all.has(wanted)) {
        places.delete(wanted)
        continue
      }
      if (part.head === undefined || !(await this.#knows(wanted, part.log))) {
        log.debug('stream.not-listed', { node, author: wanted.name, hosted: part.head !== undefined })
        places.delete(wanted)
        onLost(wanted)
        continue
      }
      place.cursor ??= { source, epoch: part.head.epoch, position: part.head.head }
      place.pages++
      const goesOn = part.more !== undefined && place.pages < listPagesMax
      if (goesOn && place.before !== undefined && compareRefs(part.more as RecordRef, place.before) <= 0) {
        throw new OnehopError('BAD_MESSAGE', 'a list that does not go on')
      }
      place.before = part.more
      const cursorAfter: Delivery['cursorAfter'] = (_, waits) => {
        if (waits !== undefined && lastsShortly.has(waits)) place.waits = true
        return goesOn || place.waits ? undefined : place.cursor
      }
      deliveries.push({ wanted, records: part.records, cursorAfter })
      if (!goesOn) done.push(wanted)
    }
    await intake.take(node, deliveries, collections)
    for (const wanted of done) {
      const waits = places.get(wanted)?.waits === true
      places.delete(wanted)
      if (!line.queue.has(wanted)) continue
      if (waits) {
        log.debug('stream.list-waits', { node, author: wanted.name })
        onLost(wanted)
      } else wanted.mustList = false
    }
  }

  /** A log comes before the records that it lets one check. */
  async #knows(wanted: Wanted, log: Uint8Array | undefined): Promise<boolean> {
    const { identities } = this.#parts
    if (log !== undefined) {
      try {
        await identities.accept(wanted.author, log)
      } catch (error) {
        this.#parts.log.warn('stream.bad-log', { author: wanted.name, error: String(error) })
      }
    }
    return identities.get(wanted.author) !== undefined
  }

  /** False when some of the answers lead nowhere yet. */
  async #follow(node: NodeId, line: Line, authors: readonly Wanted[], signal: AbortSignal): Promise<boolean> {
    const { rpc, collections, onLost, log } = this.#parts
    const app = (authors[0] as Wanted).app
    const body = encodeFollow({
      app,
      collections: [...collections(app)],
      mode: 'push',
      authors: authors.map(({ author, cursor }) => ({ author, cursor })),
    })
    const timeoutMs = streamLimits.requestTimeoutMs
    const followed = decodeFollowed(await rpc.request(node, 'stream/follow', body, { signal, timeoutMs }))
    if (toHex(followed.source) !== node || followed.authors.length !== authors.length) {
      throw new OnehopError('BAD_MESSAGE', 'not an answer to what was asked')
    }
    let isGood = true
    for (const [i, { stand }] of followed.authors.entries()) {
      const wanted = authors[i] as Wanted
      // A push that came meanwhile may have shown that a list is needed: until then nothing is taken from here.
      if (!line.queue.has(wanted) || wanted.mustList) continue
      switch (stand.state) {
        case 'following':
          line.queue.delete(wanted)
          wanted.place = { state: 'following', node }
          wanted.failures = 0
          break
        case 'reconcile':
          wanted.mustList = true
          isGood = false
          break
        case 'notHosted':
        case 'refused':
          log.debug('stream.not-followed', { node, author: wanted.name, stand: stand.state })
          onLost(wanted)
          break
      }
    }
    return isGood
  }

  async #push(from: NodeId, { source, app, batches }: Push): Promise<Pushed> {
    const { intake, wanted: all, collections, log } = this.#parts
    // Relays come with a later release; until then nobody speaks for another.
    if (toHex(source) !== from) throw new OnehopError('FORBIDDEN', 'a push of another source')
    const receipts = new Map<string, { author: Uint8Array; receipt: Receipt }>()
    const deliveries: Delivery[] = []
    for (const batch of batches) {
      const { author } = batch
      const wanted = all.get(app, toHex(author))
      const receipt = wanted === undefined ? stop : this.#advance(from, wanted, source, batch, deliveries)
      receipts.set(toHex(author), { author, receipt })
    }
    for (const { wanted, cursor, waits } of await intake.take(from, deliveries, collections)) {
      if (cursor !== undefined) receipts.set(wanted.name, { author: wanted.author, receipt: has(cursor) })
      if (waits === undefined) continue
      log.debug('stream.record-waits', { node: from, author: wanted.name, code: waits })
      if (waits === 'UNKNOWN_IDENTITY' || waits === 'FORBIDDEN') {
        // A device that this node has not heard of: the list brings the log along.
        wanted.mustList = true
        this.again(wanted)
      }
    }
    return { authors: [...receipts.values()] }
  }

  #advance(from: NodeId, wanted: Wanted, source: Uint8Array, batch: Batch, deliveries: Delivery[]): Receipt {
    const { cursor } = wanted
    if (!isSource(wanted, from) || wanted.mustList || cursor === undefined) return stop
    if (deliveries.some((delivery) => delivery.wanted === wanted)) return has(cursor)
    const step = advance(cursor, source, batch)
    if (step.step === 'reconcile') {
      wanted.mustList = true
      this.again(wanted)
      return stop
    }
    if (step.step === 'take') {
      const { entries } = step
      deliveries.push({
        wanted,
        records: entries.map(({ record }) => record),
        cursorAfter: (taken) => {
          if (taken === entries.length) return step.cursor
          return taken === 0
            ? undefined
            : { ...cursor, position: entries[taken - 1]?.position ?? cursor.position }
        },
      })
    }
    return has(cursor)
  }

  /** One message of a node after the other, so that its cursors never go back. */
  #inTurn<T>(from: NodeId, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(from) ?? Promise.resolve()
    const turn = before.then(work, work)
    this.#turns.set(from, turn)
    const clear = (): void => {
      if (this.#turns.get(from) === turn) this.#turns.delete(from)
    }
    turn.then(clear, clear)
    return turn
  }
}

function isSource({ place }: Wanted, node: NodeId): boolean {
  return (place.state === 'asking' || place.state === 'following') && place.node === node
}

const stop: Receipt = { state: 'stop' }

function has({ epoch, position }: Cursor): Receipt {
  return { state: 'has', epoch, position }
}

/** The next message's worth: of one app, and all to be listed alike or all to be registered. */
function groupOf(queue: ReadonlySet<Wanted>): { lists: boolean; authors: Wanted[] } {
  const [first] = queue as Iterable<Wanted>
  const { app, mustList: lists } = first as Wanted
  const deletes = first?.cursor !== undefined
  const max = lists ? streamLimits.listAuthorsMax : limits.streamAuthorsMax
  const authors: Wanted[] = []
  for (const wanted of queue) {
    if (wanted.app !== app || wanted.mustList !== lists) continue
    if ((wanted.cursor !== undefined) !== deletes) continue
    authors.push(wanted)
    if (authors.length >= max) break
  }
  return { lists, authors }
}
