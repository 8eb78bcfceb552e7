import { expect, test } from 'vitest'
import { portionsOf } from '../../daemon/named-people.ts'
import type { NodeId } from '../../daemon/net/rpc.ts'
import { Distribution, type DistributionParts } from '../../daemon/placement/distribution.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { decodePlaced, encodeTaken, type Placed } from '../../protocol/placement/messages.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const node: NodeId = 'aa'.repeat(32)

/** Everybody's set is to be told to one node. `fails`: messages that the node never answers. */
async function tell(shards: readonly Placed[], fails: (message: readonly Placed[]) => boolean = () => false) {
  const clock = createVirtualClock()
  const owners = shards.map((_, i) => new Uint8Array(32).fill(i + 1))
  const of = (id: IdentityId): Placed | undefined => shards[(id[0] ?? 0) - 1]
  const told: Placed[][] = []
  const errors: { event: string; owner: unknown }[] = []
  const parts = {
    clock,
    rpc: {
      self: 'bb'.repeat(32),
      async request(_node: NodeId, _method: string, body: Uint8Array) {
        if (body.length > limits.frameBytesMax - 1_024)
          throw new OnehopError('TOO_LARGE', 'no frame holds it')
        const message = decodePlaced(body) as Placed[]
        if (fails(message)) throw new OnehopError('INTERNAL', 'a fault over there')
        told.push(message)
        return encodeTaken(message.map(() => true))
      },
    },
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (event: string, fields: { owner: unknown }) => errors.push({ event, owner: fields.owner }),
    },
    identities: { log: (id: IdentityId) => of(id)?.log, people: (id: IdentityId) => of(id)?.people ?? [] },
    replicaSets: { get: (id: IdentityId) => ({ bytes: of(id)?.chain }) },
  } as unknown as DistributionParts
  const distribution = new Distribution(parts)
  for (const owner of owners) distribution.announceTo(node, owner)
  const closing = new AbortController()
  const running = distribution.run(closing.signal)
  await clock.advance(60_000)
  const waiting = owners.map((owner) => distribution.isWaiting(node, owner))
  for (const owner of owners) distribution.announceTo(node, owner)
  await clock.advance(60_000)
  closing.abort()
  await running
  return { told, errors, waiting, owners }
}

const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill)
const person: Placed = { chain: bytes(2_000), log: bytes(400), people: [] }

test('a group whose people fill no single message goes in several, with its set and log in each', async () => {
  const people = Array.from({ length: 150 }, (_, i) => bytes(i < 20 ? limits.identityLogBytesMax : 400, i))
  const group: Placed = { chain: bytes(2_000, 1), log: bytes(400, 2), people }
  const { told, waiting } = await tell([person, group, person])
  expect(waiting).toEqual([false, false, false])
  const parts = told.filter(([first]) => first?.chain[0] === 1)
  expect(parts.length).toBeGreaterThan(2)
  expect(parts.every((message) => message.length === 1)).toBe(true)
  const once = parts.slice(0, parts.length / 2).flatMap(([one]) => (one as Placed).people)
  expect(once.map((log) => log[0])).toEqual(people.map((log) => log[0]))
  expect(told.length).toBeGreaterThan(parts.length)
})

test('a set that no message holds is said once, and hinders nobody', async () => {
  const endless: Placed = { chain: bytes(limits.frameBytesMax - 100), log: bytes(400), people: [] }
  const { told, errors, waiting, owners } = await tell([endless, person])
  expect(told.flat().length).toBeGreaterThanOrEqual(1)
  expect(waiting).toEqual([false, false])
  expect(errors).toEqual([{ event: 'placement.too-large', owner: toHex(owners[0] as Uint8Array) }])
})

test('a message that a node cannot take does not hold up the others', async () => {
  const large = { ...person, people: Array.from({ length: 130 }, () => bytes(400)), chain: bytes(2_000, 9) }
  const { waiting } = await tell([large, person], ([first]) => first?.chain[0] === 9)
  expect(waiting).toEqual([true, false])
})

test('sixty-four members with ordinary logs need one message, beside the largest log and set', () => {
  const members = Array.from({ length: limits.identityWrapsMax }, () => bytes(3 * 1024))
  const room = limits.frameBytesMax - 8_192 - limits.identityLogBytesMax - limits.replicaSetBytesMax
  expect(portionsOf(members, room)).toHaveLength(1)
})
