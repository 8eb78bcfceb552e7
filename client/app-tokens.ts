import { signAppGrant } from '../protocol/api/app-token.ts'
import type { AppScope } from '../protocol/api/app-token.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Identity } from './identity/identity.ts'
import { defaultCrypto } from './random.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface AppTokenRequest {
  readonly app: string
  /** By which the person knows it again in the list. */
  readonly label: string
  /** Collections as they stand in headers: private ones by their blinded name. Undefined is every collection. */
  readonly scopes: readonly AppScope[]
  /** Of the pages that may use it, such as `https://app.example`; a program when not given. */
  readonly origin?: string | undefined
  readonly lifetimeMs: number
}

export interface GrantedToken {
  readonly id: Uint8Array
  /** What the app sends as `Authorization: Bearer` and 64 hex digits. Nobody can read it again. */
  readonly token: Uint8Array
  readonly expiresMs: number
}

/** By an owner's device, at a node that hosts its person: lets an app of somebody else read and upload there. */
export async function grantToken(
  { call }: Pick<Transport, 'call'>,
  identity: Identity,
  request: AppTokenRequest,
  options: CallOptions & { readonly crypto?: CryptoProvider | undefined } = {},
): Promise<GrantedToken> {
  const { crypto = defaultCrypto(), ...callOptions } = options
  if (identity.role !== 'owner')
    throw new OnehopError('FORBIDDEN', "only an owner's device lets apps in", {
      help: 'Do it on the phone or command line that made the identity.',
    })
  const { app, label, scopes, origin, lifetimeMs } = request
  const { node, clockMs } = await call('node.info', {}, callOptions)
  const grant = signAppGrant(
    crypto,
    {
      ...{ node, id: crypto.random(32), identity: identity.id, device: identity.device.key },
      ...{ app, label, origin, scopes, expiresMs: clockMs + lifetimeMs },
    },
    identity.device.seed,
  )
  return call('token.grant', { grant }, callOptions)
}
