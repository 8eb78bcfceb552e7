/** Revoking a device: its records up to now count, by number and by hash; nothing it signs later does. */
import type { Identity } from '../client/identity.ts'
import { nameWritten, type Named } from '../client/revocation.ts'
import type { Transport } from '../client/transport.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { revokeDevice } from '../protocol/identity/make.ts'
import { encodeLog } from '../protocol/identity/entry.ts'
import { counted, shortId } from './units.ts'

export interface RevocationOptions {
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly device: Uint8Array
  readonly signal: AbortSignal
}

export interface Revoked {
  /** Records of the device that go on counting, in all shards that are named; the highest number of one's own. */
  readonly records: number
  readonly lastNumber: number
  /** In how many groups. */
  readonly groups: number
  readonly unheld: Named['unheld']
  readonly isCut: boolean
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
    const groups = known.revoked.numbers.size - 1
    return { records: lastNumber, lastNumber, groups: Math.max(0, groups), unheld: [], isCut: false }
  }
  const named = await nameWritten({
    transport: { call },
    owner: identity.id,
    device,
    crypto,
    options: { signal },
  })
  const { numbers, records } = named
  const lastNumber = numbers[0]?.lastNumber ?? 0
  const { entry } = revokeDevice(crypto, identity.state, identity.device, device, numbers)
  await identity.learn(encodeLog([...identity.state.entries, entry]))
  await call('identity.append', { identity: identity.id, log: identity.log() }, { signal })
  return { records, lastNumber, groups: numbers.length - 1, unheld: named.unheld, isCut: named.isCut }
}

/** What is lost by it, in words; empty where nothing is, as far as this node can tell. */
export function sayUnnamed({ unheld, isCut }: Pick<Named, 'unheld' | 'isCut'>): string[] {
  return [
    ...(unheld.length === 0
      ? []
      : [
          `This node knows ${counted(unheld.length, 'group')} whose records it does not hold (${unheld.map(shortId).join(', ')}): what the device wrote there counts no more.`,
        ]),
    ...(isCut
      ? ['There are more groups than one revocation can name: in the others nothing of it counts.']
      : []),
  ]
}
