/** How a device extends its identity's log: each makes one entry, which the caller appends and stores. */
import { compareBytes, concatBytes, emptyBytes, equalBytes, toHex, utf8 } from '../bytes.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import type { DeviceKey, IdentityId, RecordId } from '../record/types.ts'
import { makeBox, newBoxSecret, wrapSecret, type BoxSecret } from './box.ts'
import { deviceBoxes, type BoxSecrets } from './box-secrets.ts'
import { type JoiningRole, possessionMessage, signEntry } from './entry.ts'
import { replay } from './log.ts'
import type {
  Admission,
  BoxState,
  DeviceSecrets,
  DeviceState,
  EntryBody,
  IdentityState,
  RecoveryKeys,
  RevokedNumbers,
  SignedEntry,
} from './types.ts'

/** All keys of a device from the one seed that it stores. */
export function deviceFromSeed(crypto: CryptoProvider, seed: Uint8Array): DeviceSecrets {
  const boxSecret = crypto.hkdfSha256(seed, emptyBytes, utf8(derivations.deviceBox), 32)
  return { seed, key: crypto.signingPublicKey(seed), boxSecret, boxKey: crypto.boxPublicKey(boxSecret) }
}

/** A person, by their first device. */
export function createIdentity(
  crypto: CryptoProvider,
  device: DeviceSecrets,
  options: { readonly recovery?: RecoveryKeys } = {},
): { readonly entry: SignedEntry; readonly state: IdentityState; readonly box: BoxSecret } {
  const box = newBoxSecret(crypto, 1)
  const { recovery } = options
  const admission = ownerAdmission(device, false)
  const recipients = recovery === undefined ? [device] : [device, recovery]
  const entry = signEntry(
    crypto,
    {
      identity: undefined,
      previous: [],
      author: undefined,
      body: {
        kind: 'genesisPerson',
        nonce: crypto.random(16),
        device: admission,
        recovery,
        box: makeBox(crypto, device, recipients, box),
      },
    },
    device,
  )
  return { entry, state: replay(crypto, [entry]), box }
}

/** A device with every right. */
export function ownerAdmission(device: Pick<DeviceSecrets, 'key' | 'boxKey'>, probation: boolean): Admission {
  return { key: device.key, boxKey: device.boxKey, role: 'owner', capabilities: 'all', probation }
}

/** By the new device: that it is willing to join this identity with these keys. */
export function provePossession(
  crypto: CryptoProvider,
  identity: IdentityId,
  device: DeviceSecrets,
  role: JoiningRole = 'owner',
): Uint8Array {
  return crypto.sign(possessionMessage(identity, device.key, device.boxKey, role), device.seed)
}

/** By an owner's device. With `readsPrivate` the new device is given the newest box secret, which opens all older ones. */
export function addDevice(
  crypto: CryptoProvider,
  state: IdentityState,
  signer: DeviceSecrets,
  admission: Admission,
  possession: Uint8Array,
  options: { readonly readsPrivate: boolean } = { readsPrivate: false },
): SignedEntry {
  const box = options.readsPrivate ? newestOf(deviceBoxes(crypto, state, signer)) : undefined
  const grants =
    box === undefined
      ? []
      : [{ epoch: box.epoch, sealed: wrapSecret(crypto, signer, admission.boxKey, box.secret) }]
  return extend(crypto, state, signer, { kind: 'addDevice', device: admission, grants }, possession)
}

export function vouch(
  crypto: CryptoProvider,
  state: IdentityState,
  signer: DeviceSecrets,
  device: DeviceKey,
): SignedEntry {
  return extend(crypto, state, signer, { kind: 'vouch', device })
}

/**
 * By an owner's device. `numbers` says which records count, by shard owner. Where the device could read private
 * data, what is written from now on is sealed under a new epoch that it does not get.
 */
export function revokeDevice(
  crypto: CryptoProvider,
  state: IdentityState,
  signer: DeviceSecrets,
  device: DeviceKey,
  numbers: readonly RevokedNumbers[],
): { readonly entry: SignedEntry; readonly box: BoxSecret | undefined } {
  const sorted = numbers.toSorted((a, b) => compareBytes(a.owner, b.owner))
  const body = { kind: 'revokeDevice', device, numbers: sorted } as const
  if (!readersOf(state).some(({ key }) => equalBytes(key, device))) {
    return { entry: extend(crypto, state, signer, { ...body, box: undefined }), box: undefined }
  }
  const { next, before, last } = nextOf(crypto, state, signer)
  const staying = readersOf(state).filter(({ key }) => !equalBytes(key, device))
  const recipients = state.recovery === undefined ? staying : [...staying, state.recovery]
  const box = makeBox(crypto, signer, recipients, next, before, last)
  return { entry: extend(crypto, state, signer, { ...body, box }), box: next }
}

/** By any key with a rank: new recovery words in place of those before, or of none, and an epoch that they open. */
export function rotate(
  crypto: CryptoProvider,
  state: IdentityState,
  signer: DeviceSecrets,
  recovery: DeviceSecrets,
): { readonly entry: SignedEntry; readonly box: BoxSecret } {
  const { next, before, last } = nextOf(crypto, state, signer)
  const keys: RecoveryKeys = { key: recovery.key, boxKey: recovery.boxKey }
  const box = makeBox(crypto, signer, [...readersOf(state), keys], next, before, last)
  const possession = provePossession(crypto, state.id, recovery)
  return {
    entry: extend(crypto, state, signer, { kind: 'rotate', recovery: keys, box }, possession),
    box: next,
  }
}

/** By an owner's device, or the words: another epoch for the same devices and words, which opens the secrets that lost, too. */
export function nextEpoch(crypto: CryptoProvider, state: IdentityState, signer: DeviceSecrets): SignedEntry {
  const { next, before, last } = nextOf(crypto, state, signer)
  const recipients = state.recovery === undefined ? readersOf(state) : [...readersOf(state), state.recovery]
  const box = makeBox(crypto, signer, recipients, next, before, last)
  return extend(crypto, state, signer, { kind: 'epoch', authorHeads: [], box })
}

/**
 * The hash by which a revocation names a device's records in one shard:
 * SHA-256("onehop/number-list/1" 0 owner device (number u64 || id) ...), ascending by number. Throws BAD_REQUEST.
 */
export function numberListHash(
  crypto: Pick<CryptoProvider, 'sha256'>,
  owner: IdentityId,
  device: DeviceKey,
  list: readonly { readonly number: number; readonly id: RecordId }[],
): Uint8Array {
  const head = concatBytes(utf8(derivations.numberList), new Uint8Array(1), owner, device)
  const bytes = new Uint8Array(head.length + list.length * 40)
  const view = new DataView(bytes.buffer)
  bytes.set(head)
  let offset = head.length
  let before = 0
  for (const { number, id } of list) {
    if (number <= before) throw new OnehopError('BAD_REQUEST', 'a list of numbers ascends')
    view.setBigUint64(offset, BigInt(number))
    bytes.set(id, offset + 8)
    offset += 40
    before = number
  }
  return crypto.sha256(bytes)
}

function extend(
  crypto: CryptoProvider,
  state: IdentityState,
  signer: DeviceSecrets,
  body: EntryBody,
  possession?: Uint8Array,
): SignedEntry {
  return signEntry(
    crypto,
    { identity: state.id, previous: state.next, author: undefined, body },
    signer,
    possession,
  )
}

/** Devices that were given a box secret, and are to be given the next. Not the newest alone: a stolen device may have left them out. */
function readersOf({ devices, boxes }: IdentityState): DeviceState[] {
  return [...devices.values()].filter(
    ({ key, revoked }) => revoked === undefined && boxes.some(({ wraps }) => wraps.has(toHex(key))),
  )
}

/** The next secret, and those that it opens: the newest that the device was given, and those that lost. */
function nextOf(crypto: CryptoProvider, state: IdentityState, device: DeviceSecrets) {
  const boxes = deviceBoxes(crypto, state, device)
  const last = state.boxes.at(-1) as BoxState
  const before = [newestOf(boxes), ...boxes.unlinked()]
  return { next: newBoxSecret(crypto, last.epoch + 1), before, last }
}

function newestOf(boxes: BoxSecrets): BoxSecret {
  const newest = boxes.newest()
  if (newest !== undefined) return newest
  throw new OnehopError('FORBIDDEN', 'this device holds no secret of this identity')
}
