import { microblog } from '../../client/microblog.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { addDevice, deviceFromSeed, ownerAdmission, provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { clockMs, HybridClock } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { Fields, SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { createPerson } from '../support/people.ts'

export interface Written {
  readonly record: SignedRecord
  readonly bytes: Uint8Array
}

/** One device of a person, with its own numbers and clock. It seals nothing. */
export class Writer {
  readonly owner: Uint8Array
  readonly #author: Uint8Array
  readonly #crypto: CryptoProvider
  readonly #device: DeviceSecrets
  readonly #clock = new HybridClock()
  #number = 0

  constructor(crypto: CryptoProvider, owner: Uint8Array, device: DeviceSecrets, author = owner) {
    this.#crypto = crypto
    this.owner = owner
    this.#author = author
    this.#device = device
  }

  /** The latest that it wrote is dated so. */
  get datedMs(): number {
    return clockMs(this.#clock.last)
  }

  /** `nowMs`: the time of the node that the device is connected to, as an app corrects its clock by it. */
  sign(name: string, key: Uint8Array, operation: 'put' | 'delete', value: Fields, nowMs: number): Written {
    return this.signDated(name, key, operation, value, this.#clock.tick(nowMs))
  }

  signDated(
    name: string,
    key: Uint8Array,
    operation: 'put' | 'delete',
    value: Fields,
    clock: bigint,
    as = name,
  ): Written {
    const collection = microblog.collections.get(name)
    if (collection === undefined) throw new Error(`no collection ${name}`)
    const record = signRecord(
      this.#crypto,
      {
        owner: this.owner,
        author: this.#author,
        app: microblog.id,
        collection: as,
        key,
        merge: collection.merge,
        number: ++this.#number,
        clock,
        operation,
        schema: microblog.hash,
        expiresMs: undefined,
        sections:
          operation === 'delete'
            ? []
            : planSections(microblog, name, value as never).map((one) => ({
                ...one,
                audience: 'public' as const,
              })),
      },
      this.#device.seed,
    )
    return { record, bytes: encodeRecord(record) }
  }
}

/** A person with two devices, which may write at once on two sides of a cut, and a third with a wrong clock. */
export interface SimPerson {
  readonly owner: Uint8Array
  readonly log: Uint8Array
  readonly owning: DeviceSecrets
  readonly writers: readonly Writer[]
  readonly wrongClock: Writer
}

export function createSimPerson(crypto: CryptoProvider): SimPerson {
  const { device, state } = createPerson(crypto)
  const others = [crypto.random(32), crypto.random(32)].map((seed) => deviceFromSeed(crypto, seed))
  let grown = state
  for (const other of others) {
    const possession = provePossession(crypto, state.id, other)
    grown = append(crypto, grown, [
      addDevice(crypto, grown, device, ownerAdmission(other, false), possession),
    ])
  }
  const [first, second, third] = [device, ...others].map((one) => new Writer(crypto, state.id, one))
  return {
    owner: state.id,
    log: encodeLog(grown.entries),
    owning: device,
    writers: [first as Writer, second as Writer],
    wrongClock: third as Writer,
  }
}
