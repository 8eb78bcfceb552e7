import { toHex } from '../../protocol/bytes.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { RequestOf } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import { planFeed } from '../../protocol/query/view-plan.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import { isReaderCollection } from '../../protocol/readers/collections.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Store, StoredRecord } from '../../storage/types.ts'
import type { Call, Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Live } from '../live/live.ts'
import type { Identities } from '../identities.ts'
import { mayRead, requireReader, speaksFor } from '../operations/caller.ts'
import type { Schemas } from '../schemas.ts'
import type { Streams } from '../streams/streams.ts'
import { countRequests } from './asked-nodes.ts'
import { type Audience, shownBytes } from './shown-records.ts'
import type { Views } from './views.ts'

export interface ReadOperationsParts {
  readonly clock: Clock
  readonly store: Store
  readonly hosting: Hosting
  readonly identities: Identities
  readonly schemas: Schemas
  readonly streams: Streams
  readonly views: Views
  readonly live: Live
  /** This node was given a seat lately, and others may have more. */
  readonly isAwaiting: (owner: IdentityId) => boolean
}

type Names = 'record.get' | 'record.list' | 'view.get' | 'feed.list' | 'follower.list' | 'live.open'

/** A reply of records, less what goes around them. */
const recordsBytesMax = apiLimits.bodyBytesMax - 16 * 1024
const noKinds: ReadonlySet<string> = new Set()

/**
 * An empty list of a misspelt collection looks like one that nobody wrote into. Nothing can be said about the hashed
 * name of a private one, nor about an app that nobody here uses.
 */
async function requireCollection(schemas: Schemas, app: string, collection: string): Promise<void> {
  if (collection.startsWith('~')) return
  const schema = await schemas.newest(app)
  if (schema !== undefined) collectionOf(schema, collection)
}

/** Reading: pages, feeds, lists, single items, and what is live. Strangers get public sections and no feed. */
export function readOperations(parts: ReadOperationsParts): Pick<Operations, Names> {
  const { clock, store, hosting, identities, schemas, streams, views, live, isAwaiting } = parts

  /** Part of a shard looks like a small one. Whoever lives here sees what there is: it may be all that is left. */
  const requireWhole = (owner: IdentityId): void => {
    if (hosting.get(owner)?.person === false && isAwaiting(owner))
      throw new OnehopError('LAGGING', `the shard of ${toHex(owner)} is still on its way here`)
  }
  const check = async (owner: IdentityId, seen: RequestOf<'record.get'>['seen']): Promise<void> => {
    if (!hosting.has(owner)) {
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    }
    requireWhole(owner)
    for (const { device, intervals } of seen ?? []) await checkSeen(store, owner, device, intervals)
  }
  const audienceOf = ({ caller }: Call, owner: IdentityId, app: string, collection?: string): Audience =>
    mayRead(identities, caller, owner, { app, collection, nowMs: clock.nowMs() }) ? 'owner' : 'public'
  /** Nearly always a device that may read everything of the app: then nothing is looked up. */
  const audienceOfView = async (
    call: Call,
    owner: IdentityId,
    app: string,
    view: string,
  ): Promise<Audience> => {
    if (audienceOf(call, owner, app) === 'owner') return 'owner'
    if (!speaksFor(identities, call.caller, owner)) return 'public'
    const collections = (await schemas.viewCollections(app, view)) ?? []
    const isWhole = collections.every((name) => audienceOf(call, owner, app, name) === 'owner')
    return isWhole && collections.length > 0 ? 'owner' : 'public'
  }
  /** What opens a follower's feed comes along with it. Nobody else is told whom people here follow. */
  const opensFeed = ({ caller }: Call, owner: IdentityId, app: string, collection: string): boolean =>
    isReaderCollection(collection) &&
    caller.kind === 'session' &&
    streams.followed(caller.owner, app, owner).size > 0
  const shown = (stored: StoredRecord, audience: Audience): Uint8Array =>
    audience === 'owner'
      ? stored.bytes
      : shownBytes(decodeStored(stored), stored.bytes, { withheld: noKinds, audience })

  return {
    async 'record.get'({ owner, app, collection, keys, seen }, call) {
      const isCarried = !hosting.has(owner) && opensFeed(call, owner, app, collection)
      if (!isCarried) await check(owner, seen)
      const audience = audienceOf(call, owner, app, collection)
      let room = recordsBytesMax
      const records = keys.map((key) => {
        const entry = store.records.winnerEntry(owner, app, collection, key)
        const isExpired = entry?.expiresMs !== undefined && entry.expiresMs <= clock.nowMs()
        if (entry === undefined || isExpired) return null
        const stored = store.records.get(owner, entry.ref)
        if (stored === undefined) return null
        const bytes = shown(stored, audience)
        room -= bytes.length
        if (room < 0)
          throw new OnehopError('TOO_LARGE', 'these items do not fit into one reply; ask for fewer')
        return bytes
      })
      // Whether there is more than came, the shard's holders alone know.
      if (isCarried && records.includes(null)) await check(owner, seen)
      return { records }
    },

    async 'record.list'({ owner, app, collection, limit, before, after, seen }, call) {
      await check(owner, seen)
      const audience = audienceOf(call, owner, app, collection)
      const wanted = limit ?? 50
      const stored = await store.records.latest(owner, app, collection, {
        limit: wanted + 1,
        ...(before && { before }),
        ...(after && { after }),
      })
      if (stored.length === 0) await requireCollection(schemas, app, collection)
      const records: Uint8Array[] = []
      let more: RecordRef | null = null
      let room = recordsBytesMax
      for (const [i, one] of stored.entries()) {
        const bytes = shown(one, audience)
        room -= bytes.length + 5
        if (records.length >= wanted || (room < 0 && records.length > 0)) {
          more = stored[i - 1]?.ref ?? null
          break
        }
        records.push(bytes)
      }
      return { records, asOf: await views.asOf(owner), more }
    },

    async 'view.get'({ owner, app, view, limit, before, after, seen }, call) {
      if (seen === undefined) requireWhole(owner)
      else await check(owner, seen)
      return views.answer({
        owner,
        app,
        view,
        range: { limit, before, after },
        audience: await audienceOfView(call, owner, app, view),
      })
    },

    async 'feed.list'({ owner, app, collection, limit, before, after, seen }, { caller }) {
      requireReader(identities, caller, owner, { app, collection, nowMs: clock.nowMs() })
      await check(owner, seen)
      const { value, requests } = await countRequests(async () => {
        await streams.serve(owner)
        const schema = await schemas.newest(app)
        if (schema === undefined) throw new OnehopError('UNKNOWN_SCHEMA', `no schema of ${app} here`)
        const wanted = limit ?? 50
        const plan = planFeed(schema, collection, { latest: wanted })
        // Before reading: what changes meanwhile is told once more, not missed.
        const position = live.feedPosition()
        const range = {
          limit: Math.min(wanted, limits.listItemsMax),
          before,
          after,
          bytesMax: recordsBytesMax,
        }
        return { ...(await views.feeds.page(owner, app, plan, range)), position }
      })
      return {
        records: value.items.map(({ bytes }) => bytes),
        asOf: await views.asOf(owner),
        more: value.more ?? null,
        position: value.position,
        requestsBetweenNodes: requests,
      }
    },

    async 'follower.list'({ owner, app, after }, { caller, signal }) {
      requireReader(identities, caller, owner, { app, collection: undefined, nowMs: clock.nowMs() })
      await check(owner, undefined)
      return streams.followersOf({ app, author: owner, after }, signal)
    },

    'live.open': async (request, call) => {
      requireWhole(request.owner)
      return live.open(request, call)
    },
  }
}

/** Reads never go back in time: whoever saw a number of a device is answered by a node that has seen it too. */
async function checkSeen(
  store: Store,
  owner: IdentityId,
  device: Uint8Array,
  wanted: readonly { readonly first: number; readonly last: number }[],
): Promise<void> {
  const held = await store.records.seen(owner, device)
  for (const { first, last } of wanted) {
    if (held.some(([from, to]) => from <= first && last <= to)) continue
    throw new OnehopError('LAGGING', `numbers ${first} to ${last} of a device are not here yet`)
  }
}
