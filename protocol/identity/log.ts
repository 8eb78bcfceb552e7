import { compareBytes, equalBytes, fromHex, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { fitting } from './bounds.ts'
import { joiningKeys, possessionMessage } from './entry.ts'
import { broken, type Facts } from './facts.ts'
import { groupRules, personRules, voidEntries } from './group.ts'
import { lostBoxes } from './lost-boxes.ts'
import { History, type Rules } from './history.ts'
import type { IdentityState, People, SignedEntry } from './types.ts'

const nobody: People = () => undefined

/**
 * What a log says, from its entries in any order. `people` gives the logs of a group's members. Throws BAD_IDENTITY (a
 * rule is broken, or an entry is missing), BAD_SIGNATURE, TOO_LARGE, and UNKNOWN_IDENTITY where a member's log is
 * missing or older than an entry knows it.
 */
export function replay(
  crypto: CryptoProvider,
  entries: readonly SignedEntry[],
  people: People = nobody,
): IdentityState {
  const genesis = entries.find((entry) => entry.identity === undefined)
  if (genesis === undefined) throw new OnehopError('BAD_IDENTITY', 'a log begins with a genesis')
  const rules = rulesOf(genesis, people)
  const facts = rules.genesis(genesis)
  checkSignatures(crypto, genesis, facts.id)
  return append(crypto, linearState(facts, [genesis]), entries, people)
}

/**
 * The state with these entries too (some may come to nothing: `dropped` names them), or the same state when it has them
 * all. Equal sets of entries give equal states, in whatever order and portions they came. Where they are more than a log
 * may be, branches that lost make room, new ones too (`fitting`). Throws as `replay` does, and then nothing was added.
 */
export function append(
  crypto: CryptoProvider,
  state: IdentityState,
  entries: readonly SignedEntry[],
  people: People = nobody,
): IdentityState {
  const known = new Set(state.entries.map((entry) => toHex(entry.hash)))
  const fresh = entries.filter((entry) => {
    const name = toHex(entry.hash)
    return !known.has(name) && known.add(name)
  })
  if (fresh.length === 0) return state
  // One by one as they are applied: the first entry of a stranger ends it, at the price of one signature.
  const checked = new Set<SignedEntry>()
  const check = (entry: SignedEntry): void => {
    if (entry.identity === undefined) throw broken(entry, 'a log has one genesis')
    if (!checked.has(entry)) checkSignatures(crypto, entry, state.id)
    checked.add(entry)
  }
  const chain = state.type === 'person' ? appendChain(state, fresh, check) : undefined
  const whole = chain ?? appendBranches(state, fresh, check, people)
  const kept = fitting(whole)
  if (kept === whole.entries) return whole
  return appendBranches({ ...whole, entries: kept }, [], () => {}, people)
}

/** What a group's log says now that a member's has grown. A person's depends on nobody else's. */
export function refreshed(state: IdentityState, people: People): IdentityState {
  return state.type === 'group' ? appendBranches(state, [], () => {}, people) : state
}

/** Nearly every log is a chain, and grows by one entry at a time. */
function appendChain(
  state: IdentityState,
  fresh: readonly SignedEntry[],
  check: (entry: SignedEntry) => void,
): IdentityState | undefined {
  if (state.heads.length !== 1 || state.dropped.size > 0) return undefined
  let facts: Facts = state
  let head = state.heads[0] as Uint8Array
  for (const entry of fresh) {
    const [previous, ...others] = entry.previous
    if (previous === undefined || others.length > 0 || !equalBytes(previous, head)) return undefined
    check(entry)
    facts = personRules.apply(facts, entry)
    head = entry.hash
  }
  return linearState(facts, [...state.entries, ...fresh])
}

function appendBranches(
  state: IdentityState,
  fresh: readonly SignedEntry[],
  check: (entry: SignedEntry) => void,
  people: People,
): IdentityState {
  const rules = rulesOf(state.entries[0] as SignedEntry, people)
  let history = new History(rules)
  for (const entry of state.entries) history.add(entry)
  let waiting = [...fresh]
  while (waiting.length > 0) {
    const ready = waiting.filter((entry) => entry.previous.every((previous) => history.has(toHex(previous))))
    if (ready.length === 0) {
      // Smallest first, so that the same entries are refused with the same words.
      const [stuck] = waiting.toSorted((a, b) => compareBytes(a.hash, b.hash)) as [SignedEntry]
      throw broken(stuck, 'it follows an entry that is missing')
    }
    for (const entry of ready) {
      check(entry)
      history.add(entry)
    }
    waiting = waiting.filter((entry) => !history.has(toHex(entry.hash)))
  }
  const isVoid = state.type === 'group' ? voidEntries(history, people, state.id) : new Set<string>()
  if (isVoid.size > 0) {
    const entries = history.inOrder()
    history = new History(rules, isVoid)
    for (const entry of entries) history.add(entry)
  }
  const heads = history.headsOf(history.names())
  const { facts, applied } = history.outcome(heads)
  const { holding, next } = history.standing(heads)
  const entries = history.inOrder()
  const dropped = new Set([...history.names()].filter((name) => !applied.has(name)))
  return {
    ...facts,
    heads: heads.map(fromName),
    holding: holding.map(fromName),
    next: next.map(fromName),
    entries,
    dropped,
    lostBoxes: lostBoxes({ ...facts, entries, dropped }, people),
  }
}

function rulesOf(genesis: SignedEntry, people: People): Rules {
  return genesis.body.kind === 'genesisGroup' ? groupRules(people) : personRules
}

function fromName(name: string): Uint8Array {
  return fromHex(name) as Uint8Array
}

function linearState(facts: Facts, entries: readonly SignedEntry[]): IdentityState {
  const { id, type, recovery, devices, members, formerMembers, boxes } = facts
  const heads = [(entries.at(-1) as SignedEntry).hash]
  const places = { heads, holding: heads, next: heads }
  return {
    id,
    type,
    recovery,
    devices,
    members,
    formerMembers,
    boxes,
    ...places,
    entries,
    dropped: new Set(),
    lostBoxes: [],
  }
}

function checkSignatures(crypto: CryptoProvider, entry: SignedEntry, identity: Uint8Array): void {
  const { body, possession } = entry
  if (!crypto.verifyStrict(entry.message, entry.signature, entry.signer)) {
    throw new OnehopError('BAD_SIGNATURE', `entry ${toHex(entry.hash)}: not signed by its signer`)
  }
  const joining = joiningKeys(body)
  if (joining === undefined) return
  const message = possessionMessage(identity, joining.key, joining.boxKey, joining.role)
  if (possession === undefined || !crypto.verifyStrict(message, possession, joining.key)) {
    throw new OnehopError('BAD_SIGNATURE', `entry ${toHex(entry.hash)}: the new key did not sign`)
  }
}
