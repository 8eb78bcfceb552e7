/** Revoking a device: its records up to now count, by number and by hash; nothing it signs later does. */
import type { Identity } from '../client/identity.ts'
import type { Transport } from '../client/transport.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { numberListHash, revokeDevice } from '../protocol/identity/make.ts'
import { encodeLog } from '../protocol/identity/entry.ts'

export interface RevocationOptions {
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly device: Uint8Array
  readonly signal: AbortSignal
}

export interface Revoked {
  /** Records of the device that go on counting, and the highest of their numbers. */
  readonly records: number
  readonly lastNumber: number
}

export async function revoke(options: RevocationOptions): Promise<Revoked> {
  const { call, crypto, identity, device, signal } = options
  const known = identity.state.devices.get(toHex(device))
  if (known === undefined) throw new OnehopError('NOT_FOUND', 'your identity has no such device')
  if (equalBytes(device, identity.device.key)) {
    throw new OnehopError('BAD_REQUEST', 'this is the device that you are using', {
      help: 'Revoke it from another owner device.',
    })
  }
  if (known.revoked !== undefined) {
    const lastNumber = known.revoked.numbers.get(toHex(identity.id))?.lastNumber ?? 0
    return { records: lastNumber, lastNumber }
  }
  const list = await listNumbers(options)
  const lastNumber = list.at(-1)?.number ?? 0
  const listHash = numberListHash(crypto, identity.id, device, list)
  const numbers = [{ owner: identity.id, lastNumber, listHash, lastEntry: undefined }]
  const { entry } = revokeDevice(crypto, identity.state, identity.device, device, numbers)
  await identity.learn(encodeLog([...identity.state.entries, entry]))
  await call('identity.append', { identity: identity.id, log: identity.log() }, { signal })
  return { records: list.length, lastNumber }
}

/** As this node holds them: what it has not seen yet will not count. */
export async function listNumbers({
  call,
  identity,
  device,
  signal,
}: Omit<RevocationOptions, 'crypto'>): Promise<{ readonly number: number; readonly id: Uint8Array }[]> {
  const list: { readonly number: number; readonly id: Uint8Array }[] = []
  for (let more = true; more; ) {
    const after = list.at(-1)?.number ?? 0
    const page = await call('record.numbers', { owner: identity.id, device, after }, { signal })
    list.push(...page.numbers)
    more = page.more && page.numbers.length > 0
  }
  return list
}
