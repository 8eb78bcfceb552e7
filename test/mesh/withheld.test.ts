/** A node that carries a follower's copy, without what is sealed for the owner alone, and then is given a seat: it has all of it. */
import { expect, test } from 'vitest'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const diary = defineSchema({
  onehop: 1,
  id: 'example.diary',
  version: 1,
  title: 'Diary',
  shard: 'owner',
  collections: {
    posts: {
      key: 'none',
      stream: true,
      fields: { text: { type: 'text', max: 1_000 }, memo: { type: 'text', max: 1_000, audience: 'private' } },
    },
    follows: {
      key: { field: 'user' },
      follows: { field: 'user', streams: ['posts'] },
      fields: { user: { type: 'user', required: true } },
    },
  },
})

const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

test.each([40, 400])(
  'of %i posts',
  async (posts) => {
    await using mesh = await createMesh(3)
    await mesh.clock.advance(3_000)
    const [ada, ben] = [new Resident(mesh, diary), new Resident(mesh, diary)]
    await mesh.wait(ada.moveIn(at(mesh, 0)))
    await mesh.wait(ben.moveIn(at(mesh, 1)))
    await mesh.wait(ada.place(at(mesh, 0), 0))
    await mesh.wait(ben.put(at(mesh, 1), 'follows', { user: ada.id }))
    await mesh.clock.advance(3_000)
    const key = mesh.crypto.random(32)
    for (let i = 1; i <= posts; i++) {
      const sections = planSections(diary, 'posts', { text: `seen ${i}`, memo: `for me ${i}` }).map(
        (section) => (section.audience === 'private' ? { ...section, sealing: { epoch: 1, key } } : section),
      )
      const draft: RecordDraft = {
        owner: ada.id,
        author: ada.id,
        app: diary.id,
        collection: 'posts',
        key: new Uint8Array(0),
        merge: 'append',
        number: i,
        clock: clockOf(mesh.clock.nowMs()) + BigInt(i),
        operation: 'put',
        schema: diary.hash,
        expiresMs: undefined,
        sections,
      }
      const records = [encodeRecord(signRecord(mesh.crypto, draft, ada.person.device.seed))]
      const { results } = await mesh.wait(at(mesh, 0).call('record.put', { records }))
      expect(results[0]?.outcome).toBe('stored')
    }
    const heldAt = (index: number): number => at(mesh, index).store.shards.get(ada.id)?.records ?? 0
    await mesh.until(() => heldAt(1) === posts, 60_000)
    expect(await mesh.wait(ada.place(at(mesh, 0), 1, [at(mesh, 2).id]))).toBe(2)
    await mesh.clock.advance(30_000)
    const { hosted } = await mesh.wait(at(mesh, 0).call('admin.status', {}))
    const { records } = at(mesh, 1).store
    const stored = await records.getMany(ada.id, await records.refs(ada.id))
    const lacking = stored.filter((one) => one && decodeStored(one).sections.includes(undefined)).length
    expect({ copies: hosted[0]?.copies, lacking }).toEqual({ copies: 2, lacking: 0 })
  },
  60_000,
)
