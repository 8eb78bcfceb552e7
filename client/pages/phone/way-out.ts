/** What a person can do about a change that was not theirs. */
import { toHex } from '../../../protocol/bytes.ts'
import { shutOutCommand } from '../../identity/changes.ts'
import type { Change, Identity } from '../../index.ts'

type Whose = Pick<Identity, 'role' | 'state'>

/** From the phone. A node is taken out with its seats, which another node does. */
export function canShutOut(change: Change, whose: Whose): boolean {
  return isAddedAndIn(change, whose) && change.role !== 'node' && whose.role === 'owner'
}

export function wayOut(change: Change, whose: Whose): string {
  if (change.isDropped) return 'If it was you, do it again. If not, nothing of it holds.'
  if (canShutOut(change, whose)) return 'If that was not you, shut the device out now.'
  if (change.role === 'node' && change.device !== undefined && isAddedAndIn(change, whose))
    return `If that was not you: ${shutOutCommand(change, change.device)}, on the machine of another node of yours.`
  if (change.kind === 'revoked')
    return 'If that was not you: onehop recover, on the machine of your node, with your recovery words, shuts out who did it. A device comes back by being paired again.'
  const undo = change.kind === 'recovery' ? 'recover --take-back' : 'recover'
  return `If that was not you, your recovery words undo it: onehop ${undo}, on the machine of your node.`
}

function isAddedAndIn({ kind, device, isDropped }: Change, { state }: Whose): boolean {
  if (kind !== 'added' || isDropped || device === undefined) return false
  return state.devices.get(toHex(device))?.revoked === undefined
}
