/** Every method between nodes against its rule in protocol/methods.ts: who is answered, what it changes, once or twice. */
import { expect, test } from 'vitest'
import type { MemoryNode } from '../../daemon/net/rpc-memory.ts'
import { fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { methods, type MethodRule, type NodeMethod } from '../../protocol/methods.ts'
import { verifyLease } from '../../protocol/placement/lease.ts'
import { decodeLeases } from '../../protocol/placement/messages.ts'
import { decodePush, decodePushed, encodePush } from '../../protocol/stream/wire.ts'
import type { MeshNode } from '../support/mesh.ts'
import { openCrossing, type Crossing } from '../support/crossing.ts'
import { leaseAsk } from '../support/lease-ask.ts'
import { nodeRequests } from '../support/node-requests.ts'

const names = Object.keys(methods) as NodeMethod[]
const ruleOf = (method: NodeMethod): MethodRule => methods[method]

test('a node handles what has a rule, all of it, each once', async () => {
  const { mesh, handled } = await openCrossing()
  await using _ = mesh
  expect(handled.toSorted()).toEqual(names.toSorted())
})

type Contents = ReadonlyMap<string, string>

/** What lies on the disk of the node that is asked, as soon as nothing more comes of what went before. */
async function settled({ mesh, home }: Crossing): Promise<Contents> {
  for (let rounds = 0; rounds < 100; rounds++) {
    const before = await mesh.contents(home.index)
    await mesh.clock.advance(1_500)
    const after = await mesh.contents(home.index)
    if (changed(before, after).length === 0) return after
  }
  throw new Error('the disk does not come to rest')
}

/** Rows that the nodes' own leaves renew at each heartbeat, and what they note of each other, whatever others ask. */
const heartbeats = [/search\/target/, /search\/child.* leaf /, /^d.suspicion/, /^d.absence/]

/** Keys that came, went, or got another value. */
function changed(before: Contents, after: Contents): string[] {
  const keys = new Set([...before.keys(), ...after.keys()])
  return [...keys].filter((key) => {
    if (before.get(key) === after.get(key)) return false
    const name = Buffer.from(key, 'hex').toString('latin1')
    return !heartbeats.some((row) => row.test(name))
  })
}

/** Rows that bear a node's id, as bytes or as text. */
function isAbout(key: string, node: string): boolean {
  return key.includes(node) || key.includes(toHex(utf8(node)))
}

const spelt = (answer: Uint8Array | string | undefined): string | undefined =>
  answer instanceof Uint8Array ? toHex(answer) : answer

const idOf = (node: MeshNode | MemoryNode): string => ('index' in node ? node.id : node.rpc.self)

/** Somebody without the right asks: hears what the rule says, and leaves nothing but what is kept of themselves. */
async function asksInVain(
  at: Crossing,
  method: NodeMethod,
  asker: MeshNode | MemoryNode,
  body: Uint8Array,
): Promise<void> {
  const { refusal, change } = ruleOf(method)
  const { blank, isTold, forged } = nodeRequests[method]
  const before = await settled(at)
  const answer = await at.ask(asker, method, body)
  if (refusal === 'blank') expect(spelt(answer)).toBe(spelt(blank?.(at)))
  else if (refusal !== undefined) expect(spelt(answer)).toBe(refusal)
  else if (forged === undefined) expect(isTold(answer as Uint8Array, at), String(answer)).toBe(true)
  const others = changed(before, await settled(at)).filter((key) => !isAbout(key, idOf(asker)))
  expect(change === 'own' ? others : changed(before, await settled(at))).toEqual([])
}

test.each(names)(
  '%s by its rule: strangers, neighbours without a part, who may, and again',
  async (method) => {
    const at = await openCrossing()
    await using _ = at.mesh
    const { change, again } = ruleOf(method)
    const request = nodeRequests[method]
    const body = await request.body(at)
    const inVain = request.forged?.(at) ?? body
    await asksInVain(at, method, at.stranger(), inVain)
    await asksInVain(at, method, at.far, inVain)

    const before = await settled(at)
    const answer = await at.ask(at.near, method, body)
    expect(typeof answer === 'string' ? answer : request.isTold(answer, at)).toBe(true)
    const after = await settled(at)
    const first = changed(before, after)
    if (change === 'nothing' || request.inMemory === true) expect(first).toEqual([])
    else expect(first).not.toEqual([])
    if (change === 'own') expect(first.filter((key) => !isAbout(key, at.near.id))).toEqual([])

    // The very same message once more, from the same node and then from one that overheard it.
    const repeated = await at.ask(at.near, method, body)
    expect(typeof repeated === 'string' ? repeated : request.isTold(repeated, at)).toBe(true)
    const second = changed(after, await settled(at))
    expect(again === 'nothing' ? second : second.filter((key) => !first.includes(key))).toEqual([])
    await asksInVain(at, method, at.stranger(), body)
  },
)

test('who pushes an author’s posts without being their source is told to stop, whatever log it names', async () => {
  const at = await openCrossing()
  await using _ = at.mesh
  const overheard = decodePush(await nodeRequests['stream/push'].body(at))
  const before = await settled(at)
  for (const asker of [at.stranger(), at.far]) {
    const own = encodePush({ ...overheard, source: fromHex(idOf(asker), 32) as Uint8Array })
    const answer = (await at.ask(asker, 'stream/push', own)) as Uint8Array
    expect(decodePushed(answer).authors.map(({ receipt }) => receipt.state)).toEqual(['stop'])
  }
  expect(changed(before, await settled(at))).toEqual([])
})

test('who asks again and again for one byte takes no room from a shard that was promised more', async () => {
  const at = await openCrossing()
  await using _ = at.mesh
  const lease = async (bytes: number, owner: Uint8Array, from: MeshNode | MemoryNode) => {
    const asked = { host: at.home.id, owner, bytes }
    const body = leaseAsk(at.mesh.crypto, asked, at.seedOf(idOf(from)))
    const answer = await at.ask(from, 'shard/lease', body)
    const [packed] = decodeLeases(answer as Uint8Array)
    return packed && verifyLease(at.mesh.crypto, packed)?.bytes
  }
  const owner = new Uint8Array(32).fill(7)
  expect(await lease(1_000_000, owner, at.near)).toBe(1_000_000)
  expect(await lease(1, owner, at.stranger())).toBe(undefined)
  expect(await lease(1, owner, at.near)).toBe(1_000_000)
  const kept = at.home.store.documents.get('lease-granted', owner) as Uint8Array
  expect(verifyLease(at.mesh.crypto, kept)?.bytes).toBe(1_000_000)
})

/** So little comes back in a virtual second that the burst is what counts; nodes of the street need some for themselves. */
const tight = { requestsPerS: 20, requestsBurst: 64 }

test('every method beyond the budget of a peer: BUSY for that one, and an answer for others', async () => {
  const at = await openCrossing(tight)
  await using _ = at.mesh
  for (const method of names) {
    const request = nodeRequests[method]
    const body = await request.body(at)
    await at.mesh.clock.advance(5_000)
    const flooder = at.stranger()
    const before = await settled(at)
    const asked = Array.from({ length: tight.requestsBurst * 3 }, () => at.ask(flooder, method, body))
    const beside = at.ask(at.near, method, body)
    const answers = await Promise.all(asked)
    const busy = answers.filter((answer) => answer === 'BUSY').length
    expect(busy, method).toBeGreaterThanOrEqual(tight.requestsBurst)
    expect(answers.length - busy, method).toBeGreaterThanOrEqual(tight.requestsBurst / 2)
    const told = await beside
    expect(typeof told === 'string' ? told : request.isTold(told, at), method).toBe(true)
    // Some time later that one is heard again: nobody is shut out for ever.
    await at.mesh.clock.advance(5_000)
    expect(await at.ask(flooder, method, body), method).not.toBe('BUSY')
    if (ruleOf(method).change === 'nothing') expect(changed(before, await settled(at)), method).toEqual([])
    at.mesh.holdBack(undefined)
  }
})

test('strangers who ask about a shard and leave are not looked for again and again', async () => {
  const at = await openCrossing()
  await using _ = at.mesh
  const body = await nodeRequests['shard/compare'].body(at)
  const sentInAMinute = async (): Promise<number> => {
    const before = at.sent()
    await at.mesh.clock.advance(60_000)
    return at.sent() - before
  }
  const usual = await sentInAMinute()
  for (let i = 0; i < 50; i++) {
    const stranger = at.stranger()
    await at.ask(stranger, 'shard/compare', body)
    await stranger[Symbol.asyncDispose]()
  }
  await at.mesh.clock.advance(15_000)
  expect(await sentInAMinute()).toBeLessThan(usual + 50)
})
