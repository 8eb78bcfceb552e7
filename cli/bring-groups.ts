/** After everything burnt: groups that lived at a node that is gone come to live where their owner lives now. */
import type { App } from '../client/connect.ts'
import type { Identity } from '../client/identity.ts'
import { placeShard } from '../client/placement.ts'
import { toHex } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { Context } from './command.ts'
import type { Daemon } from './daemon.ts'
import { newestSet } from './seats.ts'

export interface BroughtGroups {
  /** That live here from now on; their records may still be on their way. */
  readonly groups: readonly IdentityId[]
  readonly failed: readonly { readonly group: IdentityId; readonly error: OnehopError }[]
}

/** `gone`: nodes, in hex. */
export async function bringGroups(
  context: Context,
  daemon: Daemon,
  identity: Identity,
  app: App<Schema>,
  gone: ReadonlySet<string>,
): Promise<BroughtGroups> {
  const { signal } = context
  const groups: IdentityId[] = []
  const failed: { group: IdentityId; error: OnehopError }[] = []
  const { groups: here } = await daemon.call('identity.groups', { owner: identity.id }, { signal })
  const held = new Set(here.filter((one) => one.held).map(({ group }) => toHex(group)))
  for (const { group, label } of await app.groups.noted({ signal })) {
    if (held.has(toHex(group))) continue
    try {
      if (await bring(context, daemon, identity, { group, label }, gone)) groups.push(group)
    } catch (cause) {
      signal.throwIfAborted()
      failed.push({ group, error: asOnehopError(cause) })
    }
  }
  return { groups, failed }
}

async function bring(
  context: Context,
  { call }: Daemon,
  identity: Identity,
  { group, label }: { readonly group: IdentityId; readonly label: string },
  gone: ReadonlySet<string>,
): Promise<boolean> {
  const { signal } = context
  const set = await newestSet(context, { call }, group)
  if (set === undefined)
    throw new OnehopError('NOT_FOUND', `nobody asked knows who holds the group ${toHex(group)}`)
  const home = set.members.find(({ role }) => role === 'home')
  if (home !== undefined && !gone.has(toHex(home.node))) return false
  const { log, people } = await call('identity.get', { identity: group }, { signal })
  const { groups } = await call('identity.groups', { owner: identity.id }, { signal })
  // Others' groups stay with those who own them.
  const known = groups.find((one) => toHex(one.group) === toHex(group))
  if (known !== undefined && known.role !== 'owner') return false
  await call('identity.host', { identity: group, log, people, label }, { signal })
  const except = set.members.flatMap(({ node }) => (gone.has(toHex(node)) ? [node] : []))
  const options = { owner: group, copies: set.copies, except, signal }
  await placeShard({ call }, identity, await context.crypto(), options)
  return true
}
