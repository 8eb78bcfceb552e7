/** Groups that were opened on this device: of one that lives elsewhere the person's home hears nothing. */
import { fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import type { IdentityState, MemberRole } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { keyNames } from '../key-store.ts'
import type { KeyStore } from '../key-store.ts'

export interface JoinedGroup {
  readonly id: IdentityId
  readonly role: MemberRole
  readonly members: number
}

const roles: readonly string[] = ['owner', 'writer', 'reader'] satisfies readonly MemberRole[]

/** As the group's log says it now. Forgets one that the person is in no more. */
export async function noteGroup(keys: KeyStore, self: IdentityId, state: IdentityState): Promise<void> {
  const name = keyNames.groups + toHex(state.id)
  const role = state.members.get(toHex(self))?.role
  const now = role === undefined ? undefined : `${role} ${state.members.size}`
  const kept = await keys.get(name)
  if ((kept && new TextDecoder().decode(kept)) === now) return
  await keys.write(new Map([[name, now === undefined ? undefined : utf8(now)]]))
}

export async function forgetGroup(keys: KeyStore, group: IdentityId): Promise<void> {
  await keys.write(new Map([[keyNames.groups + toHex(group), undefined]]))
}

/** As they were when they were last opened. */
export async function joinedGroups(keys: KeyStore): Promise<readonly JoinedGroup[]> {
  const found: JoinedGroup[] = []
  for (const name of await keys.list(keyNames.groups)) {
    const id = fromHex(name.slice(keyNames.groups.length), 32)
    const [role = '', members] = new TextDecoder().decode(await keys.get(name)).split(' ')
    if (id !== undefined && roles.includes(role))
      found.push({ id, role: role as MemberRole, members: Number(members) })
  }
  return found
}
