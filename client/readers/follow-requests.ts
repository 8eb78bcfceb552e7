import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import type { AppParts } from '../app-parts.ts'
import { clientLimits } from '../limits.ts'
import type { UnwrappedEntry } from './reader-list.ts'
import type { CallOptions } from '../transport.ts'

export interface FollowRequest {
  readonly identity: IdentityId
  readonly sinceMs: number
  /** They were approved once, and put out. */
  readonly wasRemoved: boolean
}

export interface FollowRequests {
  readonly items: readonly FollowRequest[]
  /** False: some node that serves followers did not answer, or there are more than are listed. */
  readonly isWhole: boolean
}

/** Followers whom `entries` does not name as readers. Nobody is among them without having signed that they follow. */
export async function followRequests(
  parts: AppParts,
  entries: readonly UnwrappedEntry[],
  options: CallOptions,
): Promise<FollowRequests> {
  const known = new Map(entries.map(({ reader, isRemoved }) => [toHex(reader), isRemoved]))
  const items: FollowRequest[] = []
  let isWhole = true
  let after: IdentityId | undefined
  for (let pages = 0; ; pages++) {
    const { followers, more, silent } = await followersAfter(parts, after, options)
    if (silent > 0) isWhole = false
    for (const { identity, sinceMs } of followers) {
      const isRemoved = known.get(toHex(identity))
      if (isRemoved !== false) items.push({ identity, sinceMs, wasRemoved: isRemoved === true })
    }
    after = more
    if (after === undefined) return { items, isWhole }
    if (pages >= clientLimits.followerPagesMax || items.length >= clientLimits.followRequestsMax)
      return { items, isWhole: false }
  }
}

/** One page of those whose record says so and verifies. */
async function followersAfter(parts: AppParts, after: IdentityId | undefined, options: CallOptions) {
  const { app, schema, crypto, reader, transport } = parts
  const self = parts.self()
  const request = { owner: self, app, ...(after && { after }) }
  const { records, more, silent } = await transport.call('follower.list', request, options)
  const verdicts = await reader.verdicts(records, { app }, options)
  const followers = verdicts.flatMap((verdict) => {
    if (!verdict.ok) return []
    const { owner, collection } = verdict.record.header
    const compiled = schema.collections.get(collection)
    const item = compiled?.follows && reader.item(verdict.record, collection)
    const followed = item?.value[compiled?.follows?.field ?? '']
    const isMe = followed instanceof Uint8Array && equalBytes(followed, self)
    return item !== undefined && isMe ? [{ identity: owner, sinceMs: item.writtenMs }] : []
  })
  // Where the node stands, whatever of it was believed.
  const last = more ? records.at(-1) : undefined
  return { followers, silent, more: last && decodeRecord(crypto, last).header.owner }
}
