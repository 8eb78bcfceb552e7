import { microblog } from '../../client/microblog.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { createGroup } from '../../protocol/identity/make-group.ts'
import type { DeviceSecrets, IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { createMesh, type Mesh, type MeshNode } from './mesh.ts'
import { Resident } from './resident.ts'

/** A club that Ada founded at her home with Ben, who lives elsewhere and writes; and Eve, who is nobody's member. */
export class Club {
  readonly mesh: Mesh
  readonly home: MeshNode
  readonly bens: MeshNode
  readonly ada: Resident
  readonly ben: Resident
  readonly eve: Resident
  readonly states = new Map<string, IdentityState>()
  group!: IdentityState
  #number = 0

  private constructor(mesh: Mesh) {
    this.mesh = mesh
    ;[this.home, this.bens] = mesh.nodes as unknown as [MeshNode, MeshNode]
    ;[this.ada, this.ben, this.eve] = [0, 1, 2].map(() => new Resident(mesh, microblog)) as [
      Resident,
      Resident,
      Resident,
    ]
    for (const { name, person } of [this.ada, this.ben, this.eve]) this.states.set(name, person.state)
  }

  readonly people: People = (id) => this.states.get(toHex(id))

  get id(): Uint8Array {
    return this.group.id
  }

  session(of: Resident): Caller {
    return { kind: 'session', owner: of.id, device: of.person.device.key }
  }

  signer(of: Resident, device: DeviceSecrets = of.person.device) {
    return { person: this.states.get(of.name) as IdentityState, device }
  }

  logs(...of: Resident[]): Uint8Array[] {
    return of.map(({ name }) => encodeLog((this.states.get(name) as IdentityState).entries))
  }

  static async found(): Promise<Club> {
    const mesh = await createMesh(6)
    const club = new Club(mesh)
    const { home, bens, ada, ben, people } = club
    await mesh.clock.advance(3_000)
    await mesh.wait(ada.moveIn(home))
    await mesh.wait(ben.moveIn(bens))
    const { state } = createGroup(mesh.crypto, club.signer(ada), [{ identity: ben.id, role: 'writer' }], {
      people,
      isSealed: false,
    })
    club.group = state
    const request = { identity: state.id, log: encodeLog(state.entries), people: club.logs(ada, ben) }
    await mesh.wait(home.call('identity.host', { ...request, label: 'Club' }, club.session(ada)))
    const { proposals } = await mesh.wait(
      home.call('placement.propose', { owners: [state.id], copies: 3 }, club.session(ada)),
    )
    const unsigned = proposals[0]?.unsigned as Uint8Array
    const signature = signReplicaSet(mesh.crypto, unsigned, ada.person.device.seed)
    const { results } = await mesh.wait(
      home.call('placement.commit', { replicaSets: [packReplicaSet(unsigned, [signature])] }),
    )
    if (results[0]?.members.length !== 4) throw new Error('the club is not held by four')
    return club
  }

  post(author: Resident, title: string, device: DeviceSecrets = author.person.device): Uint8Array {
    const record = signRecord(
      this.mesh.crypto,
      {
        owner: this.id,
        author: author.id,
        app: microblog.id,
        collection: 'posts',
        key: new Uint8Array(0),
        merge: 'append',
        number: ++this.#number,
        clock: clockOf(this.mesh.clock.nowMs(), this.#number),
        operation: 'put',
        schema: microblog.hash,
        expiresMs: undefined,
        sections: planSections(microblog, 'posts', { title } as never) as never,
      },
      device.seed,
    )
    return encodeRecord(record)
  }

  async put(record: Uint8Array, at = this.home): Promise<string> {
    const { results } = await this.mesh.wait(at.call('record.put', { records: [record] }))
    const [result] = results
    return result?.outcome === 'refused' ? String(result.code) : String(result?.outcome)
  }

  async tell(entry: SignedEntry, as: Resident = this.ada): Promise<void> {
    this.group = append(this.mesh.crypto, this.group, [entry], this.people)
    await this.mesh.wait(
      this.home.call('identity.append', { identity: this.id, log: encodeLog([entry]) }, this.session(as)),
    )
  }

  /** Nodes that hold so many records of the club. */
  async holders(records: number): Promise<number> {
    const counts = this.mesh.nodes.map(({ store }) => store.shards.get(this.id)?.records ?? 0)
    return counts.filter((count) => count === records).length
  }
}
