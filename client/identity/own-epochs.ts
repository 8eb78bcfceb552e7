/**
 * Two devices of a person that shut others out apart from each other make two secrets of one epoch, and one loses. What was
 * sealed under it is opened by those who were there; for devices and words that come later the next epoch seals it too. The
 * device whose secret lost makes that epoch: nobody else, or two would again.
 */
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { nextEpoch } from '../../protocol/identity/make.ts'
import { limits } from '../../protocol/limits.ts'
import { automaticShare } from '../groups/group-epochs.ts'
import type { Identity } from './identity.ts'
import type { CallOptions, Transport } from '../transport.ts'

export interface OwnEpochs {
  /** To a node that hosts the person. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
}

/** What a node refuses now is tried again whenever the log is looked at. */
export async function sealLostSecrets(
  { call, crypto, identity }: OwnEpochs,
  options: CallOptions = {},
): Promise<void> {
  if (identity.role !== 'owner' || !identity.boxes.isUnlinkedBy(identity.device.key)) return
  const log = encodeLog([...identity.state.entries, nextEpoch(crypto, identity.state, identity.device)])
  // The rest is for who is let in and shut out.
  if (log.length > limits.personLogBytesMax * automaticShare) return
  try {
    await call('identity.append', { identity: identity.id, log }, options)
    await identity.learn(log)
  } catch (cause) {
    if (!(cause instanceof OnehopError)) throw cause
  }
}
