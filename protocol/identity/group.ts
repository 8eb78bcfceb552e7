/**
 * What the log of a group says. Its members' logs are needed: they say which devices sign for whom. When one of those
 * grows, what the group's log says may change; it stays a function of all of them, whatever came first.
 */
import { equalBytes, toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { applyEntry, applyGenesis, rankOfKey } from './apply.ts'
import {
  admitGroupEntry,
  applyGroupEntry,
  applyGroupGenesis,
  rankOfMember,
  type AuthorAt,
} from './apply-group.ts'
import { broken } from './facts.ts'
import { History, type Rules } from './history.ts'
import type { IdentityState, People } from './types.ts'

export const personRules: Rules = {
  genesis: applyGenesis,
  apply: applyEntry,
  rankOf: (facts, entry) => rankOfKey(facts, entry.signer),
}

export function groupRules(people: People): Rules {
  const authorAt = authorsAt(people)
  return {
    genesis: (entry) => applyGroupGenesis(entry, authorAt),
    apply: (facts, entry) => applyGroupEntry(facts, entry, authorAt),
    rankOf: (facts, entry) => rankOfMember(facts, entry.author),
    admit: (entry, ancestors) => admitGroupEntry(entry, ancestors, authorAt),
  }
}

/**
 * Entries by a device that its person has revoked since, and not among those that the revocation names. The genesis
 * stands: it is the group's name.
 */
export function voidEntries(history: History, people: People, group: Uint8Array): Set<string> {
  const found = new Set<string>()
  for (const entry of history.inOrder()) {
    if (entry.identity === undefined || entry.author === undefined) continue
    const device = people(entry.author)?.devices.get(toHex(entry.signer))
    if (device !== undefined && device.revoked === undefined) continue
    const last = device?.revoked?.numbers.get(toHex(group))?.lastEntry
    const name = toHex(entry.hash)
    const counted =
      last !== undefined && history.has(toHex(last)) ? history.ancestry([toHex(last)]) : undefined
    if (counted?.has(name) !== true) found.add(name)
  }
  return found
}

/** Remembers what it worked out: a group's entries mostly name the same heads of a few people. */
function authorsAt(people: People): AuthorAt {
  const histories = new Map<string, History>()
  return (entry, author, heads) => {
    const state = people(author)
    if (state === undefined) throw missing(author)
    if (state.type !== 'person') throw broken(entry, 'a group signs nothing')
    if (areHeads(state, heads)) return state
    if (heads.length === 0) throw broken(entry, "it names no heads of its author's log")
    const name = toHex(author)
    const history = histories.get(name) ?? historyOf(state)
    histories.set(name, history)
    const names = heads.map(toHex)
    if (!names.every((head) => history.has(head))) throw missing(author)
    return history.outcome(history.headsOf(history.ancestry(names))).facts
  }
}

function historyOf(state: IdentityState): History {
  const history = new History(personRules)
  for (const entry of state.entries) history.add(entry)
  return history
}

function areHeads(state: IdentityState, heads: readonly Uint8Array[]): boolean {
  return (
    state.holding.length === heads.length &&
    state.holding.every((head, i) => equalBytes(head, heads[i] as Uint8Array))
  )
}

function missing(author: Uint8Array): OnehopError {
  return new OnehopError(
    'UNKNOWN_IDENTITY',
    `the log of ${toHex(author)}, as the entry knows it, is not here`,
  )
}
