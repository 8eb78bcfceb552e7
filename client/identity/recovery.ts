/** Recovery words: made for a new person, and from them alone the way back to who one was. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { changesIn } from '../../protocol/identity/changes.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  nextEpoch,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
} from '../../protocol/identity/make.ts'
import {
  makeRecoveryWords,
  namesRecoveryKey,
  readRecoveryWords,
  recoveryFromWords,
  recoveryKeysOf,
} from '../../protocol/identity/recovery.ts'
import { beforeReplaced, isInForce } from '../../protocol/identity/take-back.ts'
import type {
  DeviceSecrets,
  DeviceState,
  IdentityState,
  RecoveryKeys,
  RevokedNumbers,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import type { DeviceKey, IdentityId, RecordId } from '../../protocol/record/types.ts'
import { markTold } from './changes.ts'
import { idOf } from '../id.ts'
import { deviceOf, Identity, joinIdentity, requireOwnerPlace } from './identity.ts'
import type { IdentityPorts } from './identity.ts'
import { nextDevice } from './next-key.ts'
import { recordNumbers } from './record-numbers.ts'
import { takeKey, type TakenKey } from './revoked-key.ts'
import { keyNames } from '../key-store.ts'
import { defaultCrypto } from '../random.ts'
import type { Transport } from '../transport.ts'

/** Longer than a node searches the DHT. */
const searchTimeoutMs = 30_000

export interface NewRecovery {
  /** To be shown once, written down and asked back; kept nowhere. */
  readonly words: readonly string[]
  /** What `makeIdentity` takes; an identity that is there already takes the words by `replaceRecovery`. */
  readonly keys: RecoveryKeys
}

/** FORBIDDEN on a page from plain http: anybody between could have changed it, and would have the words. */
export function makeRecovery(crypto: CryptoProvider = defaultCrypto()): NewRecovery {
  requireOwnerPlace('shows no recovery words', 'make them with: onehop init --user NAME')
  const words = makeRecoveryWords(crypto)
  return { words, keys: recoveryKeysOf(recoveryFromWords(crypto, words)) }
}

export interface ReplaceOptions {
  readonly identity: Identity
  /** To a node that hosts the identity. */
  readonly transport: Pick<Transport, 'call'>
  readonly words: readonly string[]
  readonly crypto?: CryptoProvider | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * By an owner's device: puts new words in force, in place of those before or of none. The node hears of it before this
 * device believes it: words that nobody else knows of would find nothing.
 */
export async function replaceRecovery(options: ReplaceOptions): Promise<void> {
  const { identity, transport, words, crypto = defaultCrypto(), signal } = options
  const { entry } = rotate(crypto, identity.state, identity.device, recoveryFromWords(crypto, words))
  const log = encodeLog([...identity.state.entries, entry])
  await transport.call('identity.append', { identity: identity.id, log }, { signal })
  await identity.learn(log)
}

export interface FindOptions {
  /** As they were typed. */
  readonly words: string
  /** Any node: it asks the others. */
  readonly transport: Pick<Transport, 'call'>
  /**
   * Words that a device replaced by others, as whoever stole it would: they outrank it, and its doing comes to nothing. With
   * all that was done to the identity since.
   */
  readonly takeBack?: boolean | undefined
  readonly crypto?: CryptoProvider | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RecoverOptions extends IdentityPorts, FindOptions {
  readonly crypto?: CryptoProvider | undefined
  /** Which one: its id, or the first digits of it that stand on the paper beside the words, 12 at least. */
  readonly identity: IdentityId | string
  /** Sees what was found before anything is joined; what it throws keeps it from that. */
  readonly check?: ((found: IdentityState) => void) | undefined
}

/** Somebody who names these words. Anybody can make an identity that does: the person compares the id with their paper. */
export interface Claimant {
  readonly identity: IdentityId
  /** What is written beside the words. */
  readonly firstDigits: string
  /** That it still admits: devices and nodes. */
  readonly devices: readonly DeviceState[]
}

/** Enough to tell one's own id from any that somebody made up: as many hashes as to find its like cost too much. */
export const idDigits = 12

/** Whom the words may belong to; nothing is joined by it. Throws NOT_FOUND, REVOKED for words that were replaced. */
export async function findRecoverable({
  words,
  transport,
  takeBack,
  crypto = defaultCrypto(),
  signal,
}: FindOptions): Promise<readonly Claimant[]> {
  requireOwnerPlace('takes no recovery words', 'type them at the command line: onehop recover')
  const { key } = recoveryFromWords(crypto, readRecoveryWords(words))
  const found = await findStates({ transport, takeBack, signal }, crypto, key)
  return found.map(({ speaksOn: { id, devices } }) => ({
    identity: id,
    firstDigits: toHex(id).slice(0, idDigits),
    devices: [...devices.values()].filter(({ revoked }) => revoked === undefined),
  }))
}

export interface Recovered {
  /** With this device in it as an owner; kept in the key store. Nodes are told by whoever has them host it. */
  readonly identity: Identity
  /** What else the identity still admits: devices and nodes. What is gone is best revoked. */
  readonly others: readonly DeviceState[]
  /** The key that this device had was revoked: it has another one now, and this was done with what waited for a node. */
  readonly renewed: TakenKey | undefined
  /**
   * Shuts a device out, in the name of the words: their rank is above any device's, so that who found the lost phone
   * cannot answer in kind. `numbers`: what goes on counting, by shard, as `nameWritten` has it from a node that holds it.
   */
  revoke(device: DeviceKey, numbers: readonly RevokedNumbers[]): Promise<void>
}

/**
 * From the words and the beginning of the id (see `findRecoverable`), on a device that belongs to nobody yet or to that person. One whose
 * key was revoked goes on under another. Throws BAD_REQUEST for words that are wrong, or where several begin so, NOT_FOUND, REVOKED for
 * words that were replaced, STALE where the device is somebody else's.
 * Repeating it after an interruption goes on where it ended.
 */
export async function recoverIdentity(options: RecoverOptions): Promise<Recovered> {
  const { keys, crypto = defaultCrypto() } = options
  requireOwnerPlace('takes no recovery words', 'type them at the command line: onehop recover')
  const secrets = recoveryFromWords(crypto, readRecoveryWords(options.words))
  const found = await findState(options, crypto, secrets)
  const kept = await keys.get(keyNames.identityLog)
  const own = kept === undefined ? undefined : replay(crypto, decodeLog(crypto, kept))
  if (own !== undefined && !equalBytes(own.id, found.id)) {
    throw new OnehopError('STALE', 'this device belongs to another identity', {
      help: 'Recover on a device, or with a key store, that belongs to nobody yet.',
    })
  }
  const state = own === undefined ? found : append(crypto, found, own.entries)
  options.check?.(speaksOn(crypto, state, secrets.key) ?? state)
  const { log, entry, renewed } = await speak(options, crypto, state, secrets)
  const identity = await joinIdentity(options, log)
  if (entry !== undefined) await markDone(keys, identity, entry)
  const ownName = toHex(identity.device.key)
  return {
    identity,
    others: [...identity.state.devices.values()].filter(
      ({ key, revoked }) => revoked === undefined && toHex(key) !== ownName,
    ),
    renewed,
    async revoke(device, numbers) {
      const { entry } = revokeDevice(crypto, identity.state, secrets, device, numbers)
      await identity.learn(encodeLog([...identity.state.entries, entry]))
      await markDone(keys, identity, entry)
    },
  }
}

/** Done here and now by the person: no news to them. */
async function markDone(
  keys: IdentityPorts['keys'],
  { state }: Identity,
  { hash }: SignedEntry,
): Promise<void> {
  await markTold(
    keys,
    changesIn(state).filter((change) => equalBytes(change.entry, hash)),
  )
}

interface Spoken {
  readonly log: Uint8Array
  /** Undefined where nothing was left to say. */
  readonly entry: SignedEntry | undefined
  readonly renewed: TakenKey | undefined
}

/** The words admit this device, under another key where its own was revoked, and grant it what is private. */
async function speak(
  options: RecoverOptions,
  crypto: CryptoProvider,
  state: IdentityState,
  secrets: DeviceSecrets,
): Promise<Spoken> {
  const { keys, takeBack = false, transport, signal } = options
  const on = speaksOn(crypto, state, secrets.key)
  if (on === undefined || (on !== state && !takeBack)) throw replaced(on !== undefined)
  const device = await deviceOf(options)
  if (on.devices.get(toHex(device.key))?.revoked === undefined)
    return { ...entryFor(crypto, state, on, secrets, device), renewed: undefined }
  return keys.lock(keyNames.nextSeed, async () => {
    const identity = new Identity(options, device, state)
    const next = await nextDevice({ keys, crypto, identity })
    const { log, entry } = entryFor(crypto, state, on, secrets, next)
    const heldAfter = async (owner: IdentityId, after: number): Promise<readonly RecordId[]> => {
      const numbers = await recordNumbers(transport, { owner, device: device.key, after }, { signal })
      return numbers.map(({ id }) => id)
    }
    return { log, entry, renewed: await takeKey({ keys, crypto, identity, heldAfter }, next, log) }
  })
}

/** Where the words take something back, they say something on what was before it in any case: their rank decides, once they spoke. */
function entryFor(
  crypto: CryptoProvider,
  state: IdentityState,
  on: IdentityState,
  secrets: DeviceSecrets,
  device: DeviceSecrets,
): Omit<Spoken, 'renewed'> {
  const isKnown = on.devices.has(toHex(device.key))
  if (isKnown && on === state) return { log: encodeLog(state.entries), entry: undefined }
  const entry = isKnown ? nextEpoch(crypto, on, secrets) : admission(crypto, on, secrets, device)
  const after = append(crypto, state, [entry])
  if (!isInForce(after, secrets.key)) throw replaced(false)
  return { log: encodeLog(after.entries), entry }
}

function admission(
  crypto: CryptoProvider,
  state: IdentityState,
  secrets: DeviceSecrets,
  device: DeviceSecrets,
): SignedEntry {
  const possession = provePossession(crypto, state.id, device)
  return addDevice(crypto, state, secrets, ownerAdmission(device, false), possession, { readsPrivate: true })
}

/** What the log says, or said before a device replaced the words; undefined where they have no say any more. */
function speaksOn(crypto: CryptoProvider, state: IdentityState, key: Uint8Array): IdentityState | undefined {
  return isInForce(state, key) ? state : beforeReplaced(crypto, state, key)
}

function replaced(mayTakeBack: boolean): OnehopError {
  return new OnehopError('REVOKED', 'these recovery words were replaced by newer ones', {
    help: mayTakeBack
      ? 'Use the newer words. Was it not you, but who has a device of yours? onehop recover --take-back, with these.'
      : 'Use the newer words.',
  })
}

async function findState(
  { transport, identity, takeBack, signal }: RecoverOptions,
  crypto: CryptoProvider,
  { key }: DeviceSecrets,
): Promise<IdentityState> {
  const digits = typeof identity === 'string' ? identity.toLowerCase() : toHex(identity)
  if (digits.length < idDigits || !/^[0-9a-f]+$/.test(digits))
    throw new OnehopError('BAD_REQUEST', `an id is named by its first digits, ${idDigits} at least`, {
      help: 'They stand on the paper beside the words.',
    })
  const whole = digits.length === 64 ? idOf(digits, 32) : undefined
  const states = await findStates({ transport, takeBack, signal }, crypto, key, whole)
  const found = states.map(({ state }) => state)
  const [good, ...more] = found.filter(({ id }) => toHex(id).startsWith(digits))
  if (good !== undefined && more.length === 0) return good
  if (good === undefined)
    throw new OnehopError('NOT_FOUND', `nobody whose id begins with ${digits} names these words`, {
      help: `Check the digits: the first ${idDigits} or more of your id, as they stand on the paper beside the words.`,
    })
  throw new OnehopError('BAD_REQUEST', `several begin so: ${[good, ...more].map(idText).join(', ')}`, {
    help: 'Anybody can make an identity that names your words. Name yours by more of its id.',
  })
}

interface Found {
  readonly state: IdentityState
  readonly speaksOn: IdentityState
}

/** All that name the words now, or before they were replaced; with `wanted`, that one alone, which nobody can crowd out. */
async function findStates(
  { transport, takeBack = false, signal }: Pick<FindOptions, 'transport' | 'takeBack' | 'signal'>,
  crypto: CryptoProvider,
  key: Uint8Array,
  wanted?: IdentityId,
): Promise<readonly Found[]> {
  const callOptions = { signal, timeoutMs: searchTimeoutMs }
  const logs =
    wanted === undefined
      ? (await transport.call('identity.recover', { recoveryKey: key }, callOptions)).found.map(
          ({ log }) => log,
        )
      : [(await transport.call('identity.get', { identity: wanted }, callOptions)).log]
  const states = logs.flatMap((log) => readLog(crypto, log, key) ?? [])
  const asked = wanted === undefined ? states : states.filter(({ id }) => equalBytes(id, wanted))
  const all = asked.flatMap((state): Found[] => {
    const on = speaksOn(crypto, state, key)
    return on === undefined ? [] : [{ state, speaksOn: on }]
  })
  // With those that were replaced: an invention that names the words now is not to hide them.
  const fit = takeBack ? all : all.filter(({ state, speaksOn: on }) => on === state)
  if (fit.length > 0) return fit
  if (asked.length > 0) throw replaced(all.length > 0)
  throw new OnehopError('NOT_FOUND', 'no identity was found that these words belong to', {
    help: 'Check the words, and the id where one is named: both stand on the paper.',
  })
}

/** Undefined for what is broken or does not concern these words: a node can send anything. */
function readLog(crypto: CryptoProvider, log: Uint8Array, key: Uint8Array): IdentityState | undefined {
  try {
    const entries = decodeLog(crypto, log)
    return namesRecoveryKey(entries, key) ? replay(crypto, entries) : undefined
  } catch (cause) {
    if (asOnehopError(cause).code === 'INTERNAL') throw cause
    return undefined
  }
}

function idText({ id }: IdentityState): string {
  return toHex(id)
}
