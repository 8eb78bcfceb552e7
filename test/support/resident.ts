import { fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { HybridClock } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { Fields } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { itemKey } from '../../protocol/schema/item-key.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { createPerson, type Person } from './people.ts'
import type { Mesh, MeshNode } from './mesh.ts'

/** A person with one device, at home on a node of the mesh: signs records as an app would. */
export class Resident {
  readonly person: Person
  readonly #crypto: CryptoProvider
  readonly #schema: Schema
  readonly #clock: HybridClock
  readonly #nowMs: () => number
  #number = 0
  /** By so much the device's clock is fast. */
  aheadMs = 0

  /** `person`: who they are already, by this device of theirs. */
  constructor(mesh: Mesh, schema: Schema, person?: Person) {
    this.#crypto = mesh.crypto
    this.#schema = schema
    this.#clock = new HybridClock()
    this.#nowMs = () => mesh.clock.nowMs() + this.aheadMs
    this.person = person ?? createPerson(mesh.crypto)
  }

  get id(): Uint8Array {
    return this.person.state.id
  }

  get name(): string {
    return toHex(this.id)
  }

  /** Moves in: the node hosts the person and knows the schema. */
  async moveIn(home: MeshNode): Promise<void> {
    await home.call('schema.put', { schema: this.#schema.bytes })
    const { results } = await home.call('admin.host.add', {
      hosts: [{ log: encodeLog(this.person.state.entries) }],
    })
    if (typeof results[0]?.code === 'string')
      throw new Error(`not hosted: ${results[0].code} ${results[0].message}`)
  }

  /** Asks for copies at the neighbours' and signs the replica set. Answers how many hold the shard. `except`: get no seat. */
  async place(home: MeshNode, copies = 3, except: readonly string[] = [], bytes?: number): Promise<number> {
    const { proposals } = await home.call('placement.propose', {
      owners: [this.id],
      copies,
      except: except.map((node) => fromHex(node, 32) as Uint8Array),
      ...(bytes === undefined ? {} : { bytes }),
    })
    const unsigned = proposals[0]?.unsigned as Uint8Array
    const signature = signReplicaSet(this.#crypto, unsigned, this.person.device.seed)
    const { results } = await home.call('placement.commit', {
      replicaSets: [packReplicaSet(unsigned, [signature])],
    })
    if (typeof results[0]?.code === 'string')
      throw new Error(`not placed: ${results[0].code} ${results[0].message}`)
    return results[0]?.members.length ?? 0
  }

  /** Signs an item of a collection as it stands in the schema; public fields only. */
  sign(
    collectionName: string,
    value: Fields,
    operation: 'put' | 'delete' = 'put',
    expiresMs?: number,
  ): Uint8Array {
    const collection = this.#schema.collections.get(collectionName)
    if (collection === undefined) throw new Error(`no collection ${collectionName}`)
    const record = signRecord(
      this.#crypto,
      {
        owner: this.id,
        author: this.id,
        app: this.#schema.id,
        collection: collectionName,
        key: itemKey(collection, value as never, (length: number) => this.#crypto.random(length)),
        merge: collection.merge,
        number: ++this.#number,
        clock: this.#clock.tick(this.#nowMs()),
        operation,
        schema: this.#schema.hash,
        expiresMs,
        sections: operation === 'put' ? planSections(this.#schema, collectionName, value as never) : [],
      },
      this.person.device.seed,
    )
    return encodeRecord(record)
  }

  /** What the next record is numbered less one; for a device that goes back. */
  set numbered(number: number) {
    this.#number = number
  }

  /** Signs and writes; throws when the node refuses. Answers the record's id in hex. */
  async put(node: MeshNode, collection: string, value: Fields, expiresMs?: number): Promise<string> {
    return this.#write(node, this.sign(collection, value, 'put', expiresMs))
  }

  /** Deletes the item that has this value in its key field. */
  async remove(node: MeshNode, collection: string, value: Fields): Promise<string> {
    return this.#write(node, this.sign(collection, value, 'delete'))
  }

  async #write(node: MeshNode, record: Uint8Array): Promise<string> {
    const { results } = await node.call('record.put', { records: [record] })
    const [result] = results
    if (result?.outcome === 'refused' || typeof result?.id !== 'object' || result.id === null)
      throw new Error(`${result?.code}: ${result?.message}`)
    return toHex(result.id)
  }
}
