import type { LivePosition } from '../protocol/api/messages.ts'
import type { EventOf, RequestOf } from '../protocol/api/operations.ts'
import { asOnehopError } from '../protocol/errors.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { isTombstone, itemKey } from '../protocol/record/merge.ts'
import { collectionOf } from '../protocol/schema/check-item.ts'
import type { AppParts } from './app-parts.ts'
import type { Item } from './item.ts'
import type { ReadOptions } from './collection.ts'
import { clientLimits } from './limits.ts'
import { streamOf } from './view.ts'

export type LiveQuery =
  | { readonly list: string }
  | { readonly feed: string | undefined }
  | { readonly view: string }

export interface LiveOptions extends ReadOptions {
  /** The position of the last event that was seen, to go on after it. */
  readonly from?: LivePosition | undefined
}

export type LiveEvent<V> =
  /** They arrived or changed; `removed` are keys of items that were deleted. */
  | {
      readonly type: 'items'
      readonly items: readonly Item<V>[]
      readonly removed: readonly { readonly owner: Uint8Array; readonly key: Uint8Array }[]
      readonly problems: readonly string[]
      readonly position: LivePosition
    }
  /** A view would be answered otherwise now. */
  | { readonly type: 'changed'; readonly position: LivePosition }
  /** Something may have been missed: read the list again. The first event, and after every change of node. */
  | { readonly type: 'reset'; readonly position: LivePosition }

/** After these another node, or the same one later, may go on. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'TIMEOUT',
  'CLOSED',
  'BUSY',
  'LAGGING',
  'ABORTED',
  'UNAUTHENTICATED',
])

/**
 * What happens from now on, for as long as it is iterated and whatever connection breaks meanwhile: it goes on after the
 * last position, at another node if need be.
 */
export async function* readLive<V>(
  parts: AppParts,
  query: LiveQuery,
  options: LiveOptions = {},
): AsyncGenerator<LiveEvent<V>> {
  const { signal } = options
  const request = requestOf(parts, query, options)
  let from = options.from
  let first = from === undefined
  let delayMs: number = clientLimits.retryFirstMs
  // Leaving the loop cancels the call at the node.
  const leaving = new AbortController()
  const onAbort = (): void => leaving.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    while (signal?.aborted !== true) {
      try {
        const { reply, events } = await parts.transport.open(
          'live.open',
          { ...request, ...(from && { from }) },
          { signal: leaving.signal },
        )
        delayMs = clientLimits.retryFirstMs
        if (first) {
          first = false
          from = reply.position
          yield { type: 'reset', position: reply.position }
        }
        for await (const event of events) {
          const opened = await openEvent<V>(parts, query, event, options)
          from = event.position
          yield opened
        }
        if (leaving.signal.aborted) return
      } catch (cause) {
        if (leaving.signal.aborted) return
        const error = asOnehopError(cause)
        if (!passing.has(error.code)) throw error
      }
      await parts.clock.sleep(delayMs, leaving.signal).catch(() => undefined)
      delayMs = Math.min(delayMs * 2, clientLimits.retryMaxMs)
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    leaving.abort()
  }
}

function requestOf(parts: AppParts, query: LiveQuery, options: LiveOptions): RequestOf<'live.open'> {
  const { app, schema } = parts
  if ('view' in query) return { of: 'view', owner: parts.owner(options.owner), app, name: query.view }
  if ('feed' in query) return { of: 'feed', owner: parts.self(), app, name: streamOf(schema, query.feed) }
  const collection = collectionOf(schema, query.list)
  const owner = parts.owner(options.owner)
  return { of: 'list', owner, app, name: parts.sealing.collectionName(app, collection) }
}

async function openEvent<V>(
  parts: AppParts,
  query: LiveQuery,
  event: EventOf<'live.open'>,
  options: LiveOptions,
): Promise<LiveEvent<V>> {
  const { type, position } = event
  // Nobody reads it again by themselves: what could not be opened a moment ago may be now.
  parts.sealing.retry()
  if (type !== 'records') return { type, position }
  const { app, reader, schema } = parts
  const owner = 'list' in query ? parts.owner(options.owner) : undefined
  const verdicts = await reader.verdicts(event.records, { app, owner })
  const items: Item<V>[] = []
  const removed: { owner: Uint8Array; key: Uint8Array }[] = []
  const problems: string[] = []
  for (const verdict of verdicts) {
    if (!verdict.ok) {
      problems.push(verdict.message)
      continue
    }
    const { record } = verdict
    const collection = 'list' in query ? query.list : record.header.collection
    if (isTombstone(record)) removed.push({ owner: record.header.owner, key: itemKey(record) })
    const item = schema.collections.has(collection) ? reader.item(record, collection) : undefined
    if (item !== undefined) items.push(item as Item<V>)
  }
  return { type: 'items', items, removed, problems, position }
}
