/**
 * entry = ["onehop/identity/1", 1, kind, identity | null, [previous ...], signer, author | null, body];
 * on the wire [entry bytes, signature, possession | null]. The bodies are in body.ts.
 */
import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { anything, array, bytes, decodeAs, literal, nullable, struct, tuple, uint } from '../shape.ts'
import { kinds, parseBody, wireBody } from './body.ts'
import { hashSet } from './hash-set.ts'
import type { DeviceSecrets, EntryBody, EntryHeader, Role, SignedEntry } from './types.ts'

const id = bytes(32)
const signature = bytes(64)

const entryShape = struct({
  context: literal(contexts.identity),
  version: literal(1),
  kind: uint(kinds.length - 1),
  identity: nullable(id),
  previous: hashSet(limits.identityPreviousMax),
  signer: id,
  author: nullable(id),
  body: anything,
})
const wireShape = tuple(bytes(1, limits.identityEntryBytesMax), signature, nullable(signature))
const logShape = array(wireShape, limits.identityEntriesMax, 1)

const entryBounds = { bytesMax: limits.identityEntryBytesMax, depthMax: 8, itemsMax: 2048 }
const wireBounds = { bytesMax: limits.identityEntryBytesMax + 256, depthMax: 2, itemsMax: 8 }
const logBounds = {
  bytesMax: limits.identityLogBytesMax,
  depthMax: 3,
  itemsMax: limits.identityEntriesMax * 4 + 1,
}

export function decodeEntry(crypto: Pick<CryptoProvider, 'sha256'>, wire: Uint8Array): SignedEntry {
  return entryOf(crypto, ...decodeAs(wireShape, wire, 'entry', wireBounds))
}

export function encodeEntry(entry: SignedEntry): Uint8Array {
  return encode(wireEntry(entry), wireBounds)
}

/** A whole log or a part of one, in any order. */
export function decodeLog(crypto: Pick<CryptoProvider, 'sha256'>, wire: Uint8Array): SignedEntry[] {
  return decodeAs(logShape, wire, 'log', logBounds).map((entry) => entryOf(crypto, ...entry))
}

export function encodeLog(entries: readonly SignedEntry[]): Uint8Array {
  return encode(entries.map(wireEntry), logBounds)
}

/** Throws BAD_MESSAGE where decoding would. `possession` is the new key's signature where the kind needs one. */
export function signEntry(
  crypto: CryptoProvider,
  header: Omit<EntryHeader, 'signer'>,
  signer: Pick<DeviceSecrets, 'seed' | 'key'>,
  possession?: Uint8Array,
): SignedEntry {
  const entryBytes = encode(
    [
      contexts.identity,
      1,
      kinds.indexOf(header.body.kind),
      header.identity ?? null,
      header.previous,
      signer.key,
      header.author ?? null,
      wireBody(header.body),
    ],
    entryBounds,
  )
  const sealed = crypto.sign(signedMessage(contexts.identity, entryBytes), signer.seed)
  return entryOf(crypto, entryBytes, sealed, possession)
}

/**
 * What a key signs to join an identity: that it is willing, that this box key is its own, and whether it is a node's.
 * Nodes refuse the connections of revoked devices; nobody can make them refuse a node, which keeps others' shards too, by
 * admitting its key as a phone's.
 */
export function possessionMessage(
  identity: Uint8Array,
  key: Uint8Array,
  boxKey: Uint8Array,
  role: JoiningRole,
): Uint8Array {
  const message = encode([contexts.possession, 1, identity, key, boxKey, role === 'node'])
  return signedMessage(contexts.possession, message)
}

export type JoiningRole = Role | 'recovery'

/** The keys that an entry names for the first time, and that have to sign for themselves. */
export function joiningKeys(
  body: EntryBody,
): { readonly key: Uint8Array; readonly boxKey: Uint8Array; readonly role: JoiningRole } | undefined {
  if (body.kind === 'addDevice') return body.device
  return body.kind === 'rotate' && body.recovery !== undefined
    ? { ...body.recovery, role: 'recovery' }
    : undefined
}

function wireEntry(entry: SignedEntry): unknown[] {
  return [entry.bytes, entry.signature, entry.possession ?? null]
}

function entryOf(
  crypto: Pick<CryptoProvider, 'sha256'>,
  entryBytes: Uint8Array,
  entrySignature: Uint8Array,
  possession: Uint8Array | undefined,
): SignedEntry {
  const wire = decodeAs(entryShape, entryBytes, 'entry', entryBounds)
  const kind = kinds[wire.kind] as (typeof kinds)[number]
  const body = parseBody(kind, wire.body)
  const isGenesis = kind === 'genesisPerson' || kind === 'genesisGroup'
  if (isGenesis !== (wire.identity === undefined) || isGenesis !== (wire.previous.length === 0)) {
    throw bad('a genesis, and nothing else, names no identity and follows no entry')
  }
  if ((possession !== undefined) !== (joiningKeys(body) !== undefined)) {
    throw bad('a new key, and nothing else, shows that it is possessed')
  }
  const message = signedMessage(contexts.identity, entryBytes)
  return {
    identity: wire.identity,
    previous: wire.previous,
    signer: wire.signer,
    author: wire.author,
    body,
    bytes: message.subarray(message.length - entryBytes.length),
    message,
    signature: entrySignature,
    possession,
    hash: crypto.sha256(message),
  }
}

function bad(message: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `entry: ${message}`)
}
