/** What an identity log must say for a pairing to end well. */
import { equalBytes, toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { DeviceState, IdentityState } from '../identity/types.ts'
import type { PairingParties } from './exchange.ts'

/** The phone is an owner's device of this identity, and the identity admits the node as a node. */
export function checkOwnerLog(state: IdentityState, parties: PairingParties, nodeBox: Uint8Array): void {
  checkDevice(state, parties.device, parties.box, 'owner')
  checkDevice(state, parties.node, nodeBox, 'node')
}

/** The identity admits the phone as an app. */
export function checkAppLog(state: IdentityState, parties: PairingParties): void {
  checkDevice(state, parties.device, parties.box, 'app')
}

function checkDevice(
  state: IdentityState,
  key: Uint8Array,
  boxKey: Uint8Array,
  role: DeviceState['role'],
): void {
  const device = state.devices.get(toHex(key))
  if (device === undefined)
    throw new OnehopError('BAD_IDENTITY', `the log admits no ${role} with the key that paired`)
  if (device.revoked !== undefined)
    throw new OnehopError('REVOKED', `the log revokes the ${role} that paired`)
  if (device.role !== role || !equalBytes(device.boxKey, boxKey)) {
    throw new OnehopError(
      'BAD_IDENTITY',
      `the log admits the key that paired as ${device.role}, not as this ${role}`,
    )
  }
}
