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
import type {
  DeviceSecrets,
  DeviceState,
  IdentityState,
  RecoveryKeys,
  RevokedNumbers,
} from '../../protocol/identity/types.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { markTold } from './changes.ts'
import { idOf } from '../id.ts'
import { deviceOf, joinIdentity, requireOwnerPlace } from './identity.ts'
import type { Identity, IdentityPorts } from './identity.ts'
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
  return found.map(({ id, devices }) => ({
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
  /**
   * Shuts a device out, in the name of the words: their rank is above any device's, so that who found the lost phone
   * cannot answer in kind. `numbers`: what goes on counting, by shard, as `nameWritten` has it from a node that holds it.
   */
  revoke(device: DeviceKey, numbers: readonly RevokedNumbers[]): Promise<void>
}

/**
 * On a device that belongs to nobody yet, from the words and the beginning of the id: see `findRecoverable`. Throws
 * BAD_REQUEST for words that are wrong, or where several begin so, NOT_FOUND, REVOKED for words that were replaced or a device that was shut out, STALE where the device is somebody else's.
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
  const known = own === undefined ? found : append(crypto, found, own.entries)
  // What this device knows of what is taken back stays out of the branch that takes it back.
  const takesBack = options.takeBack === true && !isInForce(known, secrets.key)
  const log = takesBack
    ? await logTakenBack(options, crypto, found, secrets)
    : await logWithDevice(options, crypto, known, secrets)
  const identity = await joinIdentity(options, log)
  const ownName = toHex(identity.device.key)
  return {
    identity,
    others: [...identity.state.devices.values()].filter(
      ({ key, revoked }) => revoked === undefined && toHex(key) !== ownName,
    ),
    async revoke(device, numbers) {
      const { entry } = revokeDevice(crypto, identity.state, secrets, device, numbers)
      await identity.learn(encodeLog([...identity.state.entries, entry]))
      // Done here and now by the person: no news to them.
      const own = changesIn(identity.state).filter((change) => equalBytes(change.entry, entry.hash))
      await markTold(keys, own)
    },
  }
}

/** The log, extended by the words' own entry that admits this device and grants it what is private. */
async function logWithDevice(
  ports: IdentityPorts,
  crypto: CryptoProvider,
  state: IdentityState,
  secrets: DeviceSecrets,
): Promise<Uint8Array> {
  const device = await deviceOf(ports)
  const known = state.devices.get(toHex(device.key))
  if (known?.revoked !== undefined)
    throw new OnehopError('REVOKED', 'the key of this device was shut out, and is never let in again', {
      help: 'Move its key file away (onehop paths names it), or use another key store: then the same words let it in as a new device.',
    })
  if (known !== undefined) return encodeLog(state.entries)
  const possession = provePossession(crypto, state.id, device)
  const entry = addDevice(crypto, state, secrets, ownerAdmission(device, false), possession, {
    readsPrivate: true,
  })
  return encodeLog(append(crypto, state, [entry]).entries)
}

/** The same where the device is in it already: an entry of the words alone makes their branch the stronger one. */
async function logTakenBack(
  ports: IdentityPorts,
  crypto: CryptoProvider,
  before: IdentityState,
  secrets: DeviceSecrets,
): Promise<Uint8Array> {
  const log = await logWithDevice(ports, crypto, before, secrets)
  if (!equalBytes(log, encodeLog(before.entries))) return log
  return encodeLog([...before.entries, nextEpoch(crypto, before, secrets)])
}

function isInForce({ recovery }: IdentityState, key: Uint8Array): boolean {
  return recovery !== undefined && equalBytes(recovery.key, key)
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
  const found = await findStates({ transport, takeBack, signal }, crypto, key, whole)
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

/** All that name the words now; with `wanted`, that one alone, which nobody can crowd out. */
async function findStates(
  { transport, takeBack = false, signal }: Pick<FindOptions, 'transport' | 'takeBack' | 'signal'>,
  crypto: CryptoProvider,
  key: Uint8Array,
  wanted?: IdentityId,
): Promise<readonly IdentityState[]> {
  const callOptions = { signal, timeoutMs: searchTimeoutMs }
  const logs =
    wanted === undefined
      ? (await transport.call('identity.recover', { recoveryKey: key }, callOptions)).found.map(
          ({ log }) => log,
        )
      : [(await transport.call('identity.get', { identity: wanted }, callOptions)).log]
  const states = logs.flatMap((log) => readLog(crypto, log, key) ?? [])
  const asked = wanted === undefined ? states : states.filter(({ id }) => equalBytes(id, wanted))
  const good = asked.filter((state) => isInForce(state, key))
  if (good.length > 0) return good
  const before = asked.flatMap((state) => beforeReplaced(crypto, state, key) ?? [])
  if (takeBack && before.length > 0) return before
  if (asked.length > 0) {
    throw new OnehopError('REVOKED', 'these recovery words were replaced by newer ones', {
      help:
        before.length > 0
          ? 'Use the newer words. Was it not you, but who has a device of yours? onehop recover --take-back, with these.'
          : 'Use the newer words.',
    })
  }
  throw new OnehopError('NOT_FOUND', 'no identity was found that these words belong to', {
    help: 'Check the words, and the id where one is named: both stand on the paper.',
  })
}

/**
 * What the log said before a device replaced the words. Their entries from there on outrank what came instead. Undefined where
 * the words themselves, or nobody, did.
 */
function beforeReplaced(
  crypto: CryptoProvider,
  { entries }: IdentityState,
  key: Uint8Array,
): IdentityState | undefined {
  for (const [i, { body, signer, hash }] of entries.entries()) {
    if (body.kind !== 'rotate' || equalBytes(signer, key)) continue
    const gone = new Set([toHex(hash)])
    const others = entries.filter(({ previous, hash: of }, at) => {
      if (at < i) return true
      if (previous.some((parent) => gone.has(toHex(parent)))) gone.add(toHex(of))
      return !gone.has(toHex(of))
    })
    const state = replay(crypto, others)
    if (isInForce(state, key)) return state
  }
  return undefined
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
