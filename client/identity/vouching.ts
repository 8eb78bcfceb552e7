import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { vouch } from '../../protocol/identity/make.ts'
import type { Identity } from './identity.ts'
import type { CallOptions, Transport } from '../transport.ts'

export interface Vouching {
  /** To a node that hosts the person. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly device: Uint8Array
}

/** An older owner's device says that a newer one is the person's: it is on probation no more. */
export async function vouchFor(
  { call, crypto, identity, device }: Vouching,
  options: CallOptions = {},
): Promise<void> {
  const known = identity.state.devices.get(toHex(device))
  if (known === undefined) throw new OnehopError('NOT_FOUND', 'your identity has no such device')
  if (known.revoked !== undefined) throw new OnehopError('REVOKED', 'that device was revoked')
  if (!known.probation) return
  const rank = identity.state.devices.get(toHex(identity.device.key))?.rank ?? Infinity
  if (identity.role !== 'owner' || rank >= (known.rank ?? Infinity))
    throw new OnehopError('FORBIDDEN', 'an older device of yours vouches for a new one, not this', {
      help: 'Do it with the device that let the new one in, or wait: after a day it may do what others may.',
    })
  const entry = vouch(crypto, identity.state, identity.device, device)
  const log = encodeLog([...identity.state.entries, entry])
  // Kept when a node took it: else it would never be told.
  await call('identity.append', { identity: identity.id, log }, options)
  await identity.learn(log)
}
