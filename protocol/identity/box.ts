/**
 * Box secrets: what an identity's private data is sealed under. Each epoch has one; its secret is wrapped to every
 * device that may read, and the next epoch's chain seals it, so whoever opens the newest opens all before it.
 */
import { compareBytes, concatBytes, emptyBytes, equalBytes, toHex } from '../bytes.ts'
import { encode } from '../codec.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { audienceCode } from '../record/header.ts'
import type { IdentityId } from '../record/types.ts'
import type { Box, BoxState, DeviceSecrets, IdentityState } from './types.ts'

const nonceBytes = 24

export interface BoxSecret {
  readonly epoch: number
  readonly secret: Uint8Array
}

/** Whoever is given a box secret: a device or the recovery key, or in a group a member, by the newest epoch of theirs. */
export interface Recipient {
  readonly key: Uint8Array
  readonly boxKey: Uint8Array
  readonly epoch?: number
}

/** A new epoch, its secret wrapped from `sender` to the recipients. Throws BAD_REQUEST for a key of small order. */
export function makeBox(
  crypto: CryptoProvider,
  sender: Pick<DeviceSecrets, 'boxSecret'>,
  recipients: readonly Recipient[],
  next: BoxSecret,
  before?: BoxSecret,
): Box {
  const wraps = recipients.map(({ key, boxKey, epoch = 0 }) => ({
    recipient: key,
    recipientEpoch: epoch,
    sealed: wrapSecret(crypto, sender, boxKey, next.secret),
  }))
  return {
    epoch: next.epoch,
    publicKey: crypto.boxPublicKey(next.secret),
    wraps: wraps.toSorted((a, b) => compareBytes(a.recipient, b.recipient)),
    chain: before === undefined ? undefined : sealChain(crypto, next, before.secret),
  }
}

/** nonce 24 || nacl.box(secret) */
export function wrapSecret(
  crypto: CryptoProvider,
  sender: Pick<DeviceSecrets, 'boxSecret'>,
  boxKey: Uint8Array,
  secret: Uint8Array,
): Uint8Array {
  const nonce = crypto.random(nonceBytes)
  const sealed = crypto.boxSeal(secret, nonce, boxKey, sender.boxSecret)
  if (sealed === undefined)
    throw new OnehopError('BAD_REQUEST', 'the box key of the recipient is of small order')
  return concatBytes(nonce, sealed)
}

/** The newest box secret that was wrapped to this device (or to the recovery key); undefined when none was. */
export function openBoxSecret(
  crypto: CryptoProvider,
  state: IdentityState,
  device: Pick<DeviceSecrets, 'key' | 'boxSecret'>,
): BoxSecret | undefined {
  return openNewest(crypto, state, device.key, () => device.boxSecret)
}

/** The newest box secret of a group that was wrapped to this member, whose own box secrets are asked for by epoch. */
export function openGroupSecret(
  crypto: CryptoProvider,
  group: IdentityState,
  member: IdentityId,
  boxSecretAt: (epoch: number) => Uint8Array | undefined,
): BoxSecret | undefined {
  return openNewest(crypto, group, member, boxSecretAt)
}

function openNewest(
  crypto: CryptoProvider,
  state: IdentityState,
  recipient: Uint8Array,
  secretAt: (recipientEpoch: number) => Uint8Array | undefined,
): BoxSecret | undefined {
  const name = toHex(recipient)
  for (const box of state.boxes.toReversed()) {
    const wrap = box.wraps.get(name)
    const own = wrap && secretAt(wrap.recipientEpoch)
    if (wrap === undefined || own === undefined) continue
    const [nonce, sealed] = [wrap.sealed.subarray(0, nonceBytes), wrap.sealed.subarray(nonceBytes)]
    const secret = crypto.boxOpen(sealed, nonce, wrap.senderBoxKey, own)
    if (secret !== undefined && fits(crypto, box, secret)) return { epoch: box.epoch, secret }
  }
  return undefined
}

/** The secret of that epoch, along the chain from a newer one. Undefined when the chain breaks before it. */
export function boxSecretOf(
  crypto: CryptoProvider,
  state: IdentityState,
  newest: BoxSecret,
  epoch: number,
): Uint8Array | undefined {
  let { epoch: at, secret } = newest
  while (at > epoch) {
    const [box, before] = [boxOf(state, at), boxOf(state, at - 1)]
    if (box?.chain === undefined || before === undefined) return undefined
    const [nonce, sealed] = [box.chain.subarray(0, nonceBytes), box.chain.subarray(nonceBytes)]
    const older = crypto.secretboxOpen(sealed, nonce, chainKey(crypto, { epoch: at, secret }))
    if (older === undefined || !fits(crypto, before, older)) return undefined
    at--
    secret = older
  }
  return at === epoch ? secret : undefined
}

/**
 * The key of the audience `private` for one collection and epoch. One a collection, so that an app's device can be
 * given the key of its own collections and nothing else.
 */
export function privateKeyFor(
  crypto: CryptoProvider,
  box: BoxSecret,
  of: { readonly owner: IdentityId; readonly app: string; readonly collection: string },
): Uint8Array {
  const info = encode([
    derivations.privateAudience,
    of.owner,
    audienceCode('private'),
    of.app,
    of.collection,
    box.epoch,
  ])
  return crypto.hkdfSha256(box.secret, emptyBytes, info, 32)
}

/** The key of the audience {group} for one collection of one owner's shard, in one epoch of the group's. */
export function groupKeyFor(
  crypto: CryptoProvider,
  box: BoxSecret,
  of: {
    readonly group: IdentityId
    readonly owner: IdentityId
    readonly app: string
    readonly collection: string
  },
): Uint8Array {
  const { group, owner, app, collection } = of
  const info = encode([derivations.groupAudience, group, owner, app, collection, box.epoch])
  return crypto.hkdfSha256(box.secret, emptyBytes, info, 32)
}

function sealChain(crypto: CryptoProvider, next: BoxSecret, before: Uint8Array): Uint8Array {
  const nonce = crypto.random(nonceBytes)
  return concatBytes(nonce, crypto.secretboxSeal(before, nonce, chainKey(crypto, next)))
}

function chainKey(crypto: CryptoProvider, box: BoxSecret): Uint8Array {
  return crypto.hkdfSha256(box.secret, emptyBytes, encode([derivations.boxChain, box.epoch]), 32)
}

function fits(crypto: CryptoProvider, box: BoxState, secret: Uint8Array): boolean {
  return equalBytes(crypto.boxPublicKey(secret), box.publicKey)
}

function boxOf(state: IdentityState, epoch: number): BoxState | undefined {
  return state.boxes.find((box) => box.epoch === epoch)
}
