/** Which groups a person is in: what their home has heard, what this device opened and what they noted, put together. */
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { MemberRole } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { withDeadline } from '../deadline.ts'
import { readNoted, type GroupsOfPerson } from '../identity/written.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions } from '../transport.ts'
import { joinedGroups, noteGroup, type JoinedGroup } from './joined-groups.ts'

/** One of the groups that a person is in, as their node knows it. */
export interface KnownGroup {
  readonly id: IdentityId
  readonly role: MemberRole
  readonly members: number
  /** What the node calls it; empty where it does not. */
  readonly label: string
  /** The node that answered holds its shard. */
  readonly isHeld: boolean
}

type Parts = Pick<AppParts, 'callHome' | 'clock' | 'identities' | 'keys'>

/** `groups`: what the person noted of them. UNREACHABLE where the home does not answer. */
export async function knownGroups(
  parts: Parts,
  groups: Pick<GroupsOfPerson, 'noted'>,
  self: IdentityId,
  options: CallOptions,
): Promise<KnownGroup[]> {
  const heard = await parts.callHome('identity.groups', { owner: self }, options)
  const there = heard.groups.map(({ group, held, ...rest }) => ({ id: group, isHeld: held, ...rest }))
  const known = new Map((await joinedGroups(parts.keys)).map((one) => [toHex(one.id), one]))
  const { groups: noted } = await readNoted(groups, options)
  const labels = new Map(noted.map(({ group, label }) => [toHex(group), label]))
  const away = [...new Set([...known.keys(), ...labels.keys()])].filter(
    (name) => !there.some(({ id }) => toHex(id) === name),
  )
  const elsewhere = await Promise.all(
    away.map((name) =>
      elsewhereNow(
        parts,
        self,
        fromHex(name, 32) as Uint8Array,
        known.get(name),
        labels.get(name) ?? '',
        options,
      ),
    ),
  )
  return [...there, ...elsewhere.filter((group) => group !== undefined)]
}

/** Undefined where this person is in it no more. As it was known where nobody says how it is now. */
async function elsewhereNow(
  { clock, keys, identities }: Parts,
  self: IdentityId,
  id: IdentityId,
  kept: JoinedGroup | undefined,
  label: string,
  { signal }: CallOptions,
): Promise<KnownGroup | undefined> {
  try {
    const ms = clientLimits.groupsRefreshTimeoutMs
    const state = await withDeadline(clock, ms, signal, (until) => identities.refresh(id, { signal: until }))
    await noteGroup(keys, self, state)
    const role = state.members.get(toHex(self))?.role
    return role && { id, role, members: state.members.size, label, isHeld: false }
  } catch (cause) {
    if (!(cause instanceof OnehopError) || signal?.aborted === true) throw cause
    return kept && { ...kept, label, isHeld: false }
  }
}
