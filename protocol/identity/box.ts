/**
 * Box secrets: what an identity's private data is sealed under. Each epoch has one; its secret is wrapped to every
 * device that may read, and the next epoch's box seals it, so whoever opens the newest opens all before it.
 */
import { compareBytes, concatBytes, emptyBytes, equalBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { audienceCode } from '../record/header.ts'
import type { IdentityId } from '../record/types.ts'
import type { Box, BoxLink, BoxState, DeviceSecrets, WrapState } from './types.ts'

const nonceBytes = 24
/** nonce, tag, secret */
const sealedBytes = 72

export interface EpochSecret {
  readonly epoch: number
  readonly secret: Uint8Array
}

export interface BoxSecret extends EpochSecret {
  /** By which it is named: two devices that renew apart from each other make two of one epoch. */
  readonly publicKey: Uint8Array
}

/** Whoever is given a box secret: a device or the recovery key, or in a group a member, by a box of theirs. */
export interface Recipient {
  readonly key: Uint8Array
  readonly boxKey: Uint8Array
}

export function newBoxSecret(crypto: CryptoProvider, epoch: number): BoxSecret {
  const secret = crypto.random(32)
  return { epoch, publicKey: crypto.boxPublicKey(secret), secret }
}

/**
 * The epoch after `last`, its secret wrapped from `sender` to the recipients; with it those of `before` can be opened. Where the
 * sender was not given that of `last` itself, as a stolen device left them out, nothing is sealed in its place. Throws BAD_REQUEST
 * for a key of small order.
 */
export function makeBox(
  crypto: CryptoProvider,
  sender: Pick<DeviceSecrets, 'boxSecret'>,
  recipients: readonly (Recipient & { readonly isMember?: boolean })[],
  next: BoxSecret,
  before: readonly BoxSecret[] = [],
  last?: BoxState,
): Box {
  const wraps = recipients.map(({ key, boxKey, isMember = false }) => ({
    recipient: key,
    recipientBox: isMember ? boxKey : undefined,
    sealed: wrapSecret(crypto, sender, boxKey, next.secret),
  }))
  const isOpen = before.some(({ publicKey }) => last !== undefined && equalBytes(publicKey, last.publicKey))
  const blank: BoxLink[] =
    last === undefined || isOpen
      ? []
      : [{ epoch: last.epoch, publicKey: last.publicKey, sealed: crypto.random(sealedBytes) }]
  const sealedLinks = before.map((older) => sealLink(crypto, next, older))
  const links = [...blank, ...sealedLinks].slice(0, limits.identityLinksMax)
  return {
    epoch: next.epoch,
    publicKey: next.publicKey,
    wraps: wraps.toSorted((a, b) => compareBytes(a.recipient, b.recipient)),
    links: links.toSorted((a, b) => compareBytes(a.publicKey, b.publicKey)),
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

/** Undefined where it is not for `own`, or not the secret of that box. */
export function openWrap(
  crypto: CryptoProvider,
  box: BoxState,
  wrap: WrapState,
  own: Uint8Array,
): BoxSecret | undefined {
  const [nonce, sealed] = [wrap.sealed.subarray(0, nonceBytes), wrap.sealed.subarray(nonceBytes)]
  return secretOf(crypto, box, crypto.boxOpen(sealed, nonce, wrap.senderBoxKey, own))
}

/** The secret that a newer box seals. Undefined where it is not the one that the link names. */
export function openOlder(crypto: CryptoProvider, newer: BoxSecret, link: BoxLink): BoxSecret | undefined {
  const [nonce, sealed] = [link.sealed.subarray(0, nonceBytes), link.sealed.subarray(nonceBytes)]
  return secretOf(crypto, link, crypto.secretboxOpen(sealed, nonce, linkKey(crypto, newer)))
}

/**
 * The key of the audience `private` for one collection and epoch. One a collection, so that an app's device can be
 * given the key of its own collections and nothing else.
 */
export function privateKeyFor(
  crypto: CryptoProvider,
  box: EpochSecret,
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
  box: EpochSecret,
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

function sealLink(crypto: CryptoProvider, next: BoxSecret, { epoch, publicKey, secret }: BoxSecret): BoxLink {
  const nonce = crypto.random(nonceBytes)
  const sealed = concatBytes(nonce, crypto.secretboxSeal(secret, nonce, linkKey(crypto, next)))
  return { epoch, publicKey, sealed }
}

function linkKey(crypto: CryptoProvider, { epoch, secret }: EpochSecret): Uint8Array {
  return crypto.hkdfSha256(secret, emptyBytes, encode([derivations.boxChain, epoch]), 32)
}

function secretOf(
  crypto: CryptoProvider,
  { epoch, publicKey }: Pick<BoxState, 'epoch' | 'publicKey'>,
  secret: Uint8Array | undefined,
): BoxSecret | undefined {
  if (secret === undefined || !equalBytes(crypto.boxPublicKey(secret), publicKey)) return undefined
  return { epoch, publicKey, secret }
}
