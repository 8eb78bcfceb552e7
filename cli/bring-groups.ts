/** After everything burnt: groups that lived at a node that is gone come to live where their owner lives now. */
import type { Identity } from '../client/identity/identity.ts'
import { askEach } from '../client/groups/ask-each.ts'
import type { OwnGroup } from '../client/groups/own-groups.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import { decodeLog } from '../protocol/identity/entry.ts'
import { replay } from '../protocol/identity/log.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { comeHome } from './come-home.ts'
import type { Context } from './command.ts'
import type { Daemon } from './daemon.ts'
import { newestSet } from './seats.ts'

export interface BroughtGroups {
  /** That live here; their records may still be on their way. */
  readonly here: readonly IdentityId[]
  /** Of those the ones that came now. */
  readonly brought: readonly IdentityId[]
  readonly failed: readonly { readonly group: IdentityId; readonly error: OnehopError }[]
}

/** `gone`: nodes, in hex. `startsEmpty`: also where nobody who has the records answers. */
export async function bringGroups(
  context: Context,
  daemon: Daemon,
  identity: Identity,
  noted: readonly OwnGroup[],
  gone: ReadonlySet<string>,
  startsEmpty = false,
): Promise<BroughtGroups> {
  const { signal } = context
  const { groups } = await daemon.call('identity.groups', { owner: identity.id }, { signal })
  const held = new Set(groups.filter((one) => one.held).map(({ group }) => toHex(group)))
  const byName = new Map(noted.map((one) => [toHex(one.group), one]))
  const places = await askEach(
    noted.map(({ group }) => group),
    async (group) => {
      const name = toHex(group)
      const one = { ...(byName.get(name) as OwnGroup), isHeld: held.has(name) }
      try {
        return await bring(context, daemon, identity, one, { gone, startsEmpty })
      } catch (cause) {
        signal.throwIfAborted()
        throw asOnehopError(cause)
      }
    },
    { signal },
  )
  const found = noted.map(({ group }) => ({ group, place: places.get(toHex(group)) }))
  return {
    here: found.flatMap(({ group, place }) => (place === 'here' || place === 'brought' ? [group] : [])),
    brought: found.flatMap(({ group, place }) => (place === 'brought' ? [group] : [])),
    failed: found.flatMap(({ group, place }) =>
      place instanceof OnehopError ? [{ group, error: place }] : [],
    ),
  }
}

async function bring(
  context: Context,
  daemon: Daemon,
  identity: Identity,
  { group, label, isHeld }: OwnGroup & { readonly isHeld: boolean },
  { gone, startsEmpty }: { readonly gone: ReadonlySet<string>; readonly startsEmpty: boolean },
): Promise<'here' | 'brought' | 'away'> {
  const { call, runtime } = daemon
  const { signal } = context
  const crypto = await context.crypto()
  const set = await newestSet(context, { call }, group)
  if (set === undefined) {
    if (isHeld) return 'here'
    throw new OnehopError('NOT_FOUND', `nobody asked knows who holds the group ${toHex(group)}`)
  }
  const home = set.members.find(({ role }) => role === 'home')
  if (home !== undefined && toHex(home.node) === runtime.node) return 'here'
  // Held without a seat: another owner brought it elsewhere at the same time. Its records would never come here.
  const isSettled = !isHeld || set.members.some(({ node }) => toHex(node) === runtime.node)
  if (home !== undefined && !gone.has(toHex(home.node)) && isSettled) return isHeld ? 'here' : 'away'
  const { log, people } = await call('identity.get', { identity: group }, { signal })
  const states = people.map((person) => replay(crypto, decodeLog(crypto, person)))
  const state = replay(crypto, decodeLog(crypto, log), (id) => states.find((one) => equalBytes(one.id, id)))
  // Others' groups stay with those who own them.
  if (state.members.get(toHex(identity.id))?.role !== 'owner') return isHeld ? 'here' : 'away'
  if (!isHeld) await call('identity.host', { identity: group, log, people, label }, { signal })
  const except = set.members.flatMap(({ node }) => (gone.has(toHex(node)) ? [node] : []))
  await comeHome(context, daemon, identity, { owner: group, copies: set.copies, except, startsEmpty })
  return 'brought'
}
