import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { canRead, canWriteSomewhere, deviceOf } from '../../protocol/identity/access.ts'
import type { DeviceState, MemberRole } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Caller } from '../api/operations.ts'
import type { Identities } from '../identities.ts'

type Known = Pick<Identities, 'get'>

/** What somebody asks to see as its owner's devices do. */
export interface Reading {
  readonly app: string
  /** As it stands in headers; undefined for everything of the app. */
  readonly collection: string | undefined
  readonly nowMs: number
}

const anyMember: readonly MemberRole[] = ['owner', 'writer', 'reader']

/**
 * Does the call come from a device of this identity, of a member of this group, or from whoever runs the node? That it
 * does gives no leave yet: a person also admits apps, readers and nodes, each to what its entry in the log says.
 */
export function speaksFor(
  identities: Known,
  caller: Caller,
  owner: IdentityId,
  roles: readonly MemberRole[] = anyMember,
): boolean {
  if (caller.kind === 'admin') return true
  if (liveDevice(identities, caller) === undefined) return false
  if (caller.kind === 'session' && equalBytes(caller.owner, owner)) return true
  const member =
    caller.kind === 'session' ? identities.get(owner)?.members.get(toHex(caller.owner)) : undefined
  return member !== undefined && roles.includes(member.role)
}

/** Whether the caller sees the owner's own view of it. Asked anew for every answer and event: leave ends. */
export function mayRead(
  identities: Known,
  caller: Caller,
  owner: IdentityId,
  { app, collection, nowMs }: Reading,
): boolean {
  if (!speaksFor(identities, caller, owner)) return false
  if (caller.kind !== 'session') return true
  const state = identities.get(caller.owner)
  return state !== undefined && canRead(state, caller.device, app, collection, nowMs)
}

/** Throws FORBIDDEN. */
export function requireReader(identities: Known, caller: Caller, owner: IdentityId, reading: Reading): void {
  if (mayRead(identities, caller, owner, reading)) return
  requireMember(identities, caller, owner, anyMember)
  throw new OnehopError('FORBIDDEN', `this device has no leave to read ${reading.app} ${reading.collection}`)
}

/** For what nodes keep for the owner without knowing of which collection: blobs. Throws FORBIDDEN. */
export function requireWriter(identities: Known, caller: Caller, owner: IdentityId, nowMs: number): void {
  requireMember(identities, caller, owner, ['owner', 'writer'])
  if (caller.kind !== 'session') return
  const state = identities.get(caller.owner)
  if (state !== undefined && canWriteSomewhere(state, caller.device, nowMs)) return
  throw new OnehopError('FORBIDDEN', 'this device has no leave to write')
}

/**
 * For what decides about the owner: who holds the shard, what a revocation names, which apps get in. A device of another
 * role speaks for its person elsewhere; this is not its to say. Throws FORBIDDEN.
 */
export function requireOwnersDevice(identities: Known, caller: Caller, owner: IdentityId): void {
  requireMember(identities, caller, owner, ['owner'])
  if (caller.kind !== 'session' || liveDevice(identities, caller)?.role === 'owner') return
  throw new OnehopError('FORBIDDEN', `device ${toHex(caller.device)} is not one of the owner's`)
}

function requireMember(
  identities: Known,
  caller: Caller,
  owner: IdentityId,
  roles: readonly MemberRole[],
): void {
  if (!speaksFor(identities, caller, owner, roles)) {
    throw new OnehopError('FORBIDDEN', `this session does not speak for ${toHex(owner)}`)
  }
}

function liveDevice(identities: Known, caller: Caller): DeviceState | undefined {
  if (caller.kind !== 'session') return undefined
  const state = identities.get(caller.owner)
  const device = state && deviceOf(state, caller.device)
  return device?.revoked === undefined ? device : undefined
}
