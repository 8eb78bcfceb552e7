/**
 * Who follows an author, asked by a holder of the author's shard of one that serves followers, and of the other holders.
 * Method `stream/followers`.
 *
 *   ask       = [1, app, author b32, after b32 / null]
 *   followers = [1, [*256 record bytes], more bool, silent uint]
 *
 * The signed records that say so, ascending by the follower's id, of those after it: nobody is listed without having
 * followed, whatever the serving node says. `silent`: nodes that a holder asked in turn and did not hear.
 */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import type { IdentityId } from '../record/types.ts'
import { array, boolean, bytes, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'

export interface FollowersAsk {
  readonly app: string
  readonly author: IdentityId
  /** Of the last that was told. */
  readonly after: IdentityId | undefined
}

export interface Followers {
  readonly records: readonly Uint8Array[]
  readonly more: boolean
  /** Nodes that serve followers and were not heard. */
  readonly silent: number
}

const version = literal(1)
const id = bytes(32)

const askShape = struct({ version, app: text(limits.nameBytesMax, 1), author: id, after: nullable(id) })

const followersShape = struct({
  version,
  records: array(bytes(1, limits.recordBytesMax), limits.followersMax),
  more: boolean,
  silent: uint(),
})

export function encodeFollowersAsk({ app, author, after }: FollowersAsk): Uint8Array {
  return encode([1, app, author, after ?? null])
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeFollowersAsk(message: Uint8Array): FollowersAsk {
  const { version: _version, ...ask } = decodeAs(askShape, message, 'followers ask')
  return ask
}

export function encodeFollowers({ records, more, silent }: Followers): Uint8Array {
  return encode([1, records, more, silent])
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeFollowers(message: Uint8Array): Followers {
  const { version: _version, ...followers } = decodeAs(followersShape, message, 'followers')
  return followers
}
