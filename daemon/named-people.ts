/** Whose logs belong to a group's. */
import { toHex } from '../protocol/bytes.ts'
import type { SignedEntry } from '../protocol/identity/types.ts'
import { limits } from '../protocol/limits.ts'
import type { IdentityId } from '../protocol/record/types.ts'

/**
 * Everybody whom the entries name: first their authors, without whose logs the group's cannot be read, then whoever was
 * ever made a member. Each once; those whose admission came to nothing too, as they may have written meanwhile.
 */
export function namedIn(entries: readonly SignedEntry[]): IdentityId[] {
  const named = new Map<string, IdentityId>()
  const note = (id: IdentityId): unknown => named.has(toHex(id)) || named.set(toHex(id), id)
  authorsIn(entries).forEach(note)
  for (const { body } of entries) {
    if (body.kind === 'genesisGroup') for (const { identity } of body.members) note(identity)
    if (body.kind === 'addMember') note(body.member.identity)
  }
  return [...named.values()]
}

export function authorsIn(entries: readonly SignedEntry[]): IdentityId[] {
  const authors = new Map<string, IdentityId>()
  for (const { author } of entries) if (author !== undefined) authors.set(toHex(author), author)
  return [...authors.values()]
}

/** The head of a byte string. */
export const logHeadBytes = 5

/** The logs in their order, as many at a time as a message has room for; one portion at least, be it empty. */
export function portionsOf(logs: readonly Uint8Array[], roomBytes: number): Uint8Array[][] {
  const portions: Uint8Array[][] = [[]]
  let bytes = 0
  for (const log of logs) {
    const size = log.length + logHeadBytes
    let portion = portions.at(-1) as Uint8Array[]
    if (portion.length > 0 && (bytes + size > roomBytes || portion.length === limits.identityPeopleMax)) {
      portion = []
      portions.push(portion)
      bytes = 0
    }
    portion.push(log)
    bytes += size
  }
  return portions
}
