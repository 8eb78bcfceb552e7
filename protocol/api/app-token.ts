/**
 * What a person lets an app of somebody else do at one node, signed by an owner's device. The node keeps it, and gives
 * the app a token that is worth that much and no more. A token writes no records: those are signed by devices.
 */
import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Access } from '../identity/types.ts'
import { limits } from '../limits.ts'
import type { DeviceKey, IdentityId } from '../record/types.ts'
import {
  array,
  bytes,
  choice,
  decodeAs,
  literal,
  mapped,
  mismatch,
  nullable,
  struct,
  text,
  uint,
} from '../shape.ts'
import { apiLimits } from './limits.ts'

export interface AppScope {
  /** Undefined for every collection of the app. */
  readonly collection: string | undefined
  /** `write` reads too. It admits uploads and schemas. */
  readonly access: Access
}

export interface AppGrant {
  /** The node that is to answer the app. */
  readonly node: Uint8Array
  /** Random; names the grant. */
  readonly id: Uint8Array
  readonly identity: IdentityId
  /** Who signs. The grant ends with it. */
  readonly device: DeviceKey
  readonly app: string
  /** For the person's list. */
  readonly label: string
  /** Of the pages that the token is for, such as `https://app.example`; undefined for programs. */
  readonly origin: string | undefined
  readonly scopes: readonly AppScope[]
  readonly expiresMs: number
}

export interface SignedAppGrant extends AppGrant {
  readonly document: Uint8Array
  readonly signature: Uint8Array
}

const name = text(limits.nameBytesMax, 1)

/** As browsers write it: scheme, name in lower case, port unless it is the scheme's own; no path. */
export function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.parse(text)?.origin === text
}

const originShape = mapped(text(apiLimits.originBytesMax, 1), (origin) => {
  if (isOrigin(origin)) return origin
  throw mismatch('origin such as https://app.example')
})

const documentShape = struct({
  context: literal(contexts.appToken),
  version: literal(1),
  node: bytes(32),
  id: bytes(32),
  identity: bytes(32),
  device: bytes(32),
  app: name,
  label: name,
  origin: nullable(originShape),
  scopes: array(
    struct({ collection: nullable(name), access: choice('read', 'write') }),
    apiLimits.tokenScopesMax,
    1,
  ),
  expiresMs: uint(),
})
const signedShape = struct({ document: bytes(1, apiLimits.tokenGrantBytesMax), signature: bytes(64) })

/** On the wire: [document, signature]. */
export function signAppGrant(crypto: CryptoProvider, grant: AppGrant, deviceSeed: Uint8Array): Uint8Array {
  const document = encode([
    contexts.appToken,
    1,
    grant.node,
    grant.id,
    grant.identity,
    grant.device,
    grant.app,
    grant.label,
    grant.origin ?? null,
    grant.scopes.map(({ collection, access }) => [collection ?? null, access === 'read' ? 0 : 1]),
    grant.expiresMs,
  ])
  return encode([document, crypto.sign(signedMessage(contexts.appToken, document), deviceSeed)])
}

/**
 * Undefined when the device did not sign it. Throws BAD_MESSAGE when it is no grant at all. That the device is an
 * owner's is for the identity log to say.
 */
export function verifyAppGrant(crypto: CryptoProvider, packed: Uint8Array): SignedAppGrant | undefined {
  const { document, signature } = decodeAs(signedShape, packed, 'grant')
  const { context: _, version: __, ...grant } = decodeAs(documentShape, document, 'grant')
  if (!crypto.verifyStrict(signedMessage(contexts.appToken, document), signature, grant.device))
    return undefined
  return { ...grant, document, signature }
}

/** Whether a grant reaches this collection; undefined asks for all of them. */
export function reaches(
  { scopes }: Pick<AppGrant, 'scopes'>,
  collection: string | undefined,
  access: Access,
): boolean {
  return scopes.some(
    (scope) =>
      (scope.collection === undefined || scope.collection === collection) &&
      (access === 'read' || scope.access === 'write'),
  )
}
