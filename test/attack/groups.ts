/** Who is put out of a group, may only read in it, or was never let in. */
import assert from 'node:assert/strict'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { addMember, changeMember, removeMember } from '../../protocol/identity/make-group.ts'
import type { MeshNode } from '../support/mesh.ts'
import { Club } from '../support/club.ts'
import { refusal, type Scenario } from './scenario.ts'

function replicaOf({ mesh, home, id }: Club): MeshNode {
  return mesh.nodes.find((node) => node.id !== home.id && node.store.shards.get(id) !== undefined) as MeshNode
}

export const groupAttacks: readonly Scenario[] = [
  {
    name: 'removed-member-writes-on',
    attack: 'a member who was put out of the club writes at its home and at a copy',
    stoppedBy: 'what a removed member writes counts up to the number that the removal names (FORBIDDEN)',
    async run() {
      const club = await Club.found()
      await using mesh = club.mesh
      const { ada, ben, people } = club
      assert.equal(await club.put(club.post(ben, 'while I was one')), 'stored')
      await mesh.until(async () => (await club.holders(1)) === 4, 20_000)
      const numbers = [{ device: ben.person.device.key, lastNumber: 1, listHash: new Uint8Array(32) }]
      await club.tell(
        removeMember(mesh.crypto, club.group, club.signer(ada), ben.id, { numbers, people }).entry,
      )
      await mesh.clock.advance(5_000)
      for (const node of [club.home, replicaOf(club)])
        assert.equal(await club.put(club.post(ben, 'and now'), node), 'FORBIDDEN')
      assert.equal(await club.holders(1), 4)
    },
  },
  {
    name: 'reader-writes',
    attack: "a member whose role is reader writes into the club's shard",
    stoppedBy: 'members write as owner or writer only (FORBIDDEN)',
    async run() {
      const club = await Club.found()
      await using mesh = club.mesh
      const { ada, eve, people, home } = club
      await mesh.wait(eve.moveIn(home))
      const member = { identity: eve.id, role: 'reader' as const }
      await club.tell(addMember(mesh.crypto, club.group, club.signer(ada), member, { people }))
      assert.equal(await club.put(club.post(eve, 'let me say')), 'FORBIDDEN')
      assert.equal(await club.put(club.post(ada, 'welcome')), 'stored')
    },
  },
  {
    name: 'member-makes-owner',
    attack: 'a writer of the club makes a friend an owner, and himself',
    stoppedBy: 'who was never an owner extends the log of no group',
    async run() {
      const club = await Club.found()
      await using mesh = club.mesh
      const { ada, ben, bens, eve, people, home } = club
      const friend = { identity: eve.id, role: 'owner' as const }
      const self = { identity: ben.id, role: 'owner' as const }
      for (const entry of [
        addMember(mesh.crypto, club.group, club.signer(ben), friend, { people }),
        changeMember(mesh.crypto, club.group, club.signer(ben), self),
      ]) {
        const told = home.call(
          'identity.append',
          { identity: club.id, log: encodeLog([entry]) },
          club.session(ben),
        )
        assert.equal(await refusal(mesh.wait(told)), 'BAD_IDENTITY')
      }
      const whole = { identity: club.id, log: encodeLog(club.group.entries), people: club.logs(ada, ben) }
      const hosted = bens.call('identity.host', whole, club.session(ben))
      assert.equal(await refusal(mesh.wait(hosted)), 'FORBIDDEN')
    },
  },
]
