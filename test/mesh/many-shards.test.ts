/** Two nodes with many shards in common: equal ones cost next to nothing, and the one that differs is found and moved. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import {
  differingGroups,
  groupOf,
  groupsPower,
  groupSums,
  type ShardState,
} from '../../protocol/replication/many.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { seededCrypto } from '../support/people.ts'
import { Resident } from '../support/resident.ts'

test('sums are of sets, whatever the order, and differ in the group alone of what differs', () => {
  const crypto = seededCrypto(5)
  const shards = Array.from(
    { length: 300 },
    (_, i): ShardState => ({
      owner: crypto.random(32),
      set: i % 3 ? crypto.random(32) : undefined,
      fingerprint: crypto.random(16),
    }),
  )
  const power = groupsPower(shards.length)
  expect([0, 1, 64, 300, 1_000, 10 ** 9].map(groupsPower)).toEqual([0, 2, 5, 6, 7, 12])
  const sums = groupSums(crypto, shards, power)
  expect(toHex(groupSums(crypto, shards.toReversed(), power))).toBe(toHex(sums))
  for (const [i, shard] of shards.slice(0, 20).entries()) {
    const changes = [{ set: crypto.random(32) }, { fingerprint: crypto.random(16) }, undefined]
    const change = changes[i % 3]
    const other = shards.flatMap((one) => (one === shard ? (change ? [{ ...one, ...change }] : []) : [one]))
    expect(differingGroups(sums, groupSums(crypto, other, power))).toEqual([groupOf(shard.owner, power)])
  }
})

test('of eighty shards the one that differs is found by a few messages, and no equal one is named', async () => {
  const asked: string[] = []
  const sizes: number[] = []
  await using mesh = await createMesh(2, {
    onJoin: ({ rpc }, index) => {
      const handle = rpc.handle.bind(rpc)
      rpc.handle = (method, handler) =>
        handle(method, (request) => {
          if (index === 1 && method.startsWith('shard/compare')) asked.push(method)
          if (index === 1 && method === 'shard/compare') sizes.push(request.body.length)
          return handler(request)
        })
    },
  })
  await mesh.clock.advance(3_000)
  const [home, other] = mesh.nodes as [MeshNode, MeshNode]
  const people: Resident[] = []
  for (let i = 0; i < 80; i++) {
    const person = new Resident(mesh, microblog)
    await mesh.wait(person.moveIn(home))
    await mesh.wait(person.place(home, 1))
    await mesh.wait(person.put(home, 'posts', { text: 'hello' }))
    people.push(person)
  }
  const records = (person: Resident): number => other.store.shards.get(person.id)?.records ?? 0
  await mesh.until(() => people.every((person) => records(person) === 1), 60_000)
  await mesh.clock.advance(60_000)
  // What was pushed is taken for held there, and got lost: only a comparison of all finds it.
  const [one] = people.slice(40) as [Resident]
  const [ref] = await other.store.records.refs(one.id)
  await other.store.records.drop(one.id, [{ ref: ref as NonNullable<typeof ref> }])
  expect(records(one)).toBe(0)
  asked.length = 0
  sizes.length = 0
  await mesh.until(() => records(one) === 1, 60_000)
  expect(asked.filter((method) => method === 'shard/compare-many').length).toBeGreaterThan(0)
  // A group of two or three shards, not eighty.
  expect(Math.max(...sizes)).toBeLessThan(10 * 90)
}, 60_000)
