import { expect, test } from 'vitest'
import { findNearest } from '../../client/find-nearest.ts'
import type { Nearest } from '../../client/nearest.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { createFakeNode, type FakeNode } from '../support/fake-transport.ts'
import { createPerson, seededCrypto, type Person } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = seededCrypto(5)

function neighbourhood(
  options: {
    signer?: Person
    bootstrapNode?: Uint8Array
    heard?: readonly (readonly [number, number])[]
    answering?: Uint8Array
  } = {},
) {
  const clock = createVirtualClock()
  const person = createPerson(crypto)
  const keys = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill))
  const document = encodeReplicaSet({
    owner: person.state.id,
    shard: person.state.id,
    epoch: 1,
    step: 0,
    previous: undefined,
    members: keys.map((node, i) => ({
      node,
      role: i === 0 ? ('home' as const) : ('replica' as const),
      addresses: [`/ip4/127.0.0.${i + 1}/tcp/4001`, `/ip4/127.0.0.${i + 1}/tcp/80${i}/http`],
      operator: `o${i}`,
      region: '/geo/africa',
    })),
    standby: [],
    copies: 2,
    expiresMs: clock.nowMs() + 1e9,
  })
  const signed = packReplicaSet(document, [
    signReplicaSet(crypto, document, (options.signer ?? person).device.seed),
  ])
  const chain = makeChain([unpackReplicaSet(crypto, signed)])
  const handlers = (node: Uint8Array) => ({
    'node.info': () => ({
      node,
      version: '1',
      clockMs: clock.nowMs() + 7_000,
      addresses: [],
      roles: [],
      region: null,
    }),
    'identity.get': () => ({ log: encodeLog(person.state.entries), people: [] }),
    'replica-set.get': () => ({
      replicaSet: chain.bytes,
      source: 'local' as const,
      gone: [],
      heard: (options.heard ?? []).map(([i, port]) => ({
        node: keys[i] as Uint8Array,
        addresses: [`/ip4/127.0.0.${i + 1}/tcp/4001`, `/ip4/127.0.0.${i + 1}/tcp/${port}/http`],
      })),
    }),
    'record.get': () => ({ records: [null] }),
  })
  const nodes = new Map<string, FakeNode>()
  for (const [i, node] of keys.entries()) {
    const url = `http://127.0.0.${i + 1}:80${i}`
    nodes.set(url, createFakeNode(url, clock, [80, 20, 50][i] as number, handlers(node)))
  }
  const bootstrap = 'http://127.0.0.9:9000'
  nodes.set(
    bootstrap,
    createFakeNode(bootstrap, clock, 5, handlers(options.bootstrapNode ?? new Uint8Array(32).fill(9))),
  )
  for (const [i, port] of options.heard ?? []) {
    const url = `http://127.0.0.${i + 1}:${port}`
    nodes.set(url, createFakeNode(url, clock, 30, handlers(options.answering ?? (keys[i] as Uint8Array))))
  }
  const at = (i: number): FakeNode => [...nodes.values()][i] as FakeNode
  const find = (): Promise<Nearest> =>
    findNearest({
      owner: person.state.id,
      bootstrap: [bootstrap],
      clock,
      crypto,
      dial: (url) => (nodes.get(url) as FakeNode).transport,
    })
  const ask = (nearest: Nearest) =>
    nearest.call('record.get', {
      owner: person.state.id,
      app: 'a',
      collection: 'c',
      keys: [new Uint8Array(1)],
    })
  /** Lets virtual time pass until the promise is settled; answers how long that was. */
  const within = async <T>(promise: Promise<T>): Promise<{ value: T; tookMs: number }> => {
    const startMs = clock.monotonicMs()
    let done = false
    promise.then(
      () => (done = true),
      () => (done = true),
    )
    await clock.settle()
    for (let turns = 0; !done && turns < 10_000; turns++) await clock.advance(5)
    return { value: await promise, tookMs: clock.monotonicMs() - startMs }
  }
  return { clock, at, find, ask, within, bootstrap }
}

test('keeps the nearest member of the signed set, not the bootstrap node, and a warm second', async () => {
  const { find, within } = neighbourhood()
  const { value: nearest } = await within(find())
  expect(nearest.address).toBe('http://127.0.0.2:801')
  expect(nearest.warm).toBe('http://127.0.0.3:802')
  expect(nearest.members.map(({ state }) => state)).toEqual(['alive', 'current', 'warm'])
  expect(Math.abs(nearest.offsetMs - 7_000)).toBeLessThan(20)
  await within(nearest.close())
})

test('a member that answers elsewhere than the signed set says is used where it answers', async () => {
  const { find, ask, within, at, bootstrap } = neighbourhood({ bootstrapNode: new Uint8Array(32).fill(1) })
  for (const i of [0, 1, 2]) at(i).state = 'gone'
  const { value: nearest } = await within(find())
  expect(nearest.address).toBe(bootstrap)
  await within(ask(nearest))
  await within(nearest.close())
})

test('where no member is where the signed set says, they are sought where the node that was asked hears them', async () => {
  const { find, ask, within, at } = neighbourhood({ heard: [[2, 9_102]] })
  for (const i of [0, 1, 2]) at(i).state = 'gone'
  const { value: nearest } = await within(find())
  expect(nearest.address).toBe('http://127.0.0.3:9102')
  await within(ask(nearest))
  await within(nearest.close())
})

test('as long as a member is where the signed set says, nobody else says where they are', async () => {
  const { find, within, at } = neighbourhood({ heard: [[2, 9_102]] })
  for (const i of [0, 2]) at(i).state = 'gone'
  const { value: nearest } = await within(find())
  expect([nearest.address, nearest.warm]).toEqual(['http://127.0.0.2:801', undefined])
  await within(nearest.close())
})

test('whoever answers where a member is heard, and is another, is not used', async () => {
  const { find, within, at } = neighbourhood({ heard: [[0, 9_100]], answering: new Uint8Array(32).fill(8) })
  for (const i of [0, 1, 2]) at(i).state = 'gone'
  await expect(within(find())).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('a member that refuses is left at once', async () => {
  const { find, ask, within, at } = neighbourhood()
  const { value: nearest } = await within(find())
  at(1).state = 'gone'
  const { tookMs } = await within(ask(nearest))
  expect(tookMs).toBeLessThan(100)
  expect(nearest.address).toBe('http://127.0.0.3:802')
  expect(nearest.moves).toBe(1)
  expect(nearest.lastMoveMs).toBe(0)
  await within(nearest.close())
})

test('a member that falls silent is left within a second', async () => {
  const { find, ask, within, at } = neighbourhood()
  const { value: nearest } = await within(find())
  at(1).state = 'silent'
  const { tookMs } = await within(ask(nearest))
  expect(tookMs).toBeLessThan(1_000)
  expect(nearest.address).toBe('http://127.0.0.3:802')
  await within(nearest.close())
})

test('a member that is only slow is kept', async () => {
  const { find, ask, within, at } = neighbourhood()
  const { value: nearest } = await within(find())
  at(1).delayMs = 400
  await within(ask(nearest))
  expect(nearest.address).toBe('http://127.0.0.2:801')
  expect(nearest.moves).toBe(0)
  await within(nearest.close())
})

test('a member that is still being filled is asked again for two seconds, and then another', async () => {
  const { at, find, ask, within } = neighbourhood()
  const { value: nearest } = await within(find())
  at(1).state = 'filling'
  const { tookMs } = await within(ask(nearest))
  expect(tookMs).toBeLessThan(2_500)
  expect(nearest.address).toBe('http://127.0.0.3:802')
  for (const i of [0, 2]) at(i).state = 'filling'
  await expect(within(ask(nearest))).rejects.toMatchObject({ code: 'LAGGING' })
  await within(nearest.close())
})

test('goes on with the last member alive, and says UNREACHABLE when none is', async () => {
  const { find, ask, within, at } = neighbourhood()
  const { value: nearest } = await within(find())
  at(1).state = 'gone'
  at(2).state = 'gone'
  await within(ask(nearest))
  expect(nearest.address).toBe('http://127.0.0.1:800')
  at(0).state = 'gone'
  at(3).state = 'gone'
  await expect(within(ask(nearest))).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true })
  at(2).state = 'up'
  await within(ask(nearest))
  expect(nearest.address).toBe('http://127.0.0.3:802')
  await within(nearest.close())
})

test('a replica set that a stranger signed is refused', async () => {
  const { find, within } = neighbourhood({ signer: createPerson(crypto) })
  await expect(within(find())).rejects.toMatchObject({ code: 'BAD_SIGNATURE' })
})

test('closed, it leaves no timer', async () => {
  const { find, ask, within, clock } = neighbourhood()
  const { value: nearest } = await within(find())
  await within(ask(nearest))
  await within(nearest.close())
  expect(clock.pending()).toBe(0)
  await expect(ask(nearest)).rejects.toMatchObject({ code: 'CLOSED' })
})
