import { signRequest } from '../protocol/api/http-signature.ts'
import { emptyBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { DeviceSecrets } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { systemClock } from './clock.ts'
import { idOf } from './id.ts'
import { defaultCrypto } from './random.ts'

export interface SignerOptions {
  readonly owner: IdentityId | string
  readonly device: Pick<DeviceSecrets, 'key' | 'seed'>
  /** The node that the signatures are for; at any other they are worth nothing. Whoever has the address, when not given. */
  readonly node?: Uint8Array | undefined
  readonly crypto?: CryptoProvider | undefined
  readonly clock?: Pick<Clock, 'nowMs'> | undefined
  /** The node's clock less ours: the node judges by its own. */
  readonly offsetMs?: (() => number) | undefined
}

export interface Signable {
  readonly method: string
  /** Whole, as it is asked for. */
  readonly url: string
  readonly body?: Uint8Array | undefined
}

/** Makes the header fields by which a device signs one request (RFC 9421), for whatever sends it. Good once. */
export function requestSigner(options: SignerOptions): (request: Signable) => Record<string, string> {
  const { device, node, crypto = defaultCrypto(), clock = systemClock, offsetMs = () => 0 } = options
  const owner = idOf(options.owner, 32)
  return ({ method, url, body = emptyBytes }) => {
    const { host, pathname, search } = new URL(url)
    const createdS = Math.floor((clock.nowMs() + offsetMs()) / 1000)
    const nonce = toHex(crypto.random(16))
    const target = { method: method.toUpperCase(), authority: host, path: pathname, query: search }
    return signRequest(
      crypto,
      target,
      body,
      { owner, device: device.key, createdS, nonce, node },
      device.seed,
    )
  }
}
