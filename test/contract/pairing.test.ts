import { expect, test } from 'vitest'
import { memoryKeyStore, openIdentity, pair } from '../../client/index.ts'
import type { DialNode } from '../../client/identity/secure-node.ts'
import { linkFromCode } from '../../client/identity/typed-code.ts'
import type { Transport } from '../../client/transport.ts'
import { systemClock } from '../../daemon/clock.ts'
import type { FrameStream } from '../../daemon/net/frame-stream.ts'
import { createMemoryNetwork, memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { createPairing, pairingProtocol } from '../../daemon/pairing/pairing.ts'
import type { PairingPorts } from '../../daemon/pairing/pairing.ts'
import { TypedCode } from '../../daemon/pairing/typed-code.ts'
import type { Call } from '../../daemon/api/operations.ts'
import type { PairingStatus } from '../../protocol/api/messages.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import { addDevice, createIdentity, deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import { decodePairingMessage, pairingLimits } from '../../protocol/pairing/index.ts'
import { silentLog, testCrypto as crypto } from '../support/api-node.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/until.ts'
import { present, scan } from '../support/pairing-phone.ts'

const random = createSeededRandom(21)
const call: Call = {
  caller: { kind: 'admin' },
  token: undefined,
  signal: new AbortController().signal,
  bind: () => undefined,
}

function startNode({ refusal }: { readonly refusal?: () => OnehopError | undefined } = {}) {
  const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(4) })
  const server = network.join(memoryNodeId(1))
  const keys = deviceFromSeed(crypto, random.bytes(32))
  const hosted: { state: IdentityState; label: string }[] = []
  const people = new Set<string>()
  const labels: string[] = []
  const ports: PairingPorts = {
    network: server,
    crypto,
    clock: systemClock,
    random,
    log: silentLog,
    node: keys.key,
    box: keys.boxKey,
    prove: (identity) => provePossession(crypto, identity, keys, 'node'),
    lives: (identity) => (identity === undefined ? people.size > 0 : people.has(toHex(identity))),
    page: () => 'http://127.0.0.1:4180/phone/',
    addresses: () => ['/ip4/127.0.0.1/tcp/4182/ws'],
    async host({ state, label }) {
      const error = refusal?.()
      if (error !== undefined) throw error
      hosted.push({ state, label })
    },
    keepLabel: async (identity, device, label) =>
      void labels.push(`${toHex(identity)} ${toHex(device)} ${label}`),
    append: async (_identity, log) => log,
  }
  const pairing = createPairing(ports)
  const run = async (answer: Promise<{ pairing: PairingStatus } | Uint8Array>): Promise<PairingStatus> => {
    const answered = await answer
    if (answered instanceof Uint8Array) throw new Error('encoded')
    return answered.pairing
  }
  const { operations } = pairing
  return {
    keys,
    hosted,
    people,
    labels,
    network,
    id: server.rpc.self,
    server,
    operations,
    open: (request: { readonly lifetimeS?: number } = { lifetimeS: 60 }) =>
      run(operations['admin.pair.open'](request, call)),
    show: () => run(operations['admin.pair.show']({}, call)),
    code: (code: string, identity?: Uint8Array) =>
      run(operations['admin.pair.code']({ code, ...(identity === undefined ? {} : { identity }) }, call)),
    admit: (log: Uint8Array) => run(operations['admin.pair.admit']({ log }, call)),
    async [Symbol.asyncDispose]() {
      pairing.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('a phone scans, its person types the code, and the node hosts the identity that admits it', async () => {
  await using node = startNode()
  const { link, state } = await node.open()
  expect(state).toBe('waiting')
  const phone = await scan(node, link ?? '', 'owner')
  const digits = await phone.digits()
  expect(await node.show()).toMatchObject({ state: 'code', role: 'owner', label: 'Ada', link: null })
  await node.code(digits)
  expect(node.hosted).toEqual([])
  phone.accept()
  await until(() => phone.state().state === 'paired')
  const { id } = phone.identity()
  expect(node.hosted).toMatchObject([{ label: 'Ada', state: { id } }])
  expect(node.labels).toEqual([`${toHex(id)} ${toHex(phone.keys.key)} Ada`])
  expect(await node.show()).toMatchObject({ state: 'paired', identity: id })
  await phone.ended
})

test('a phone whose node does not take its log keeps no entry that nobody has', async () => {
  let refusal: OnehopError | undefined = new OnehopError('TOO_LARGE', 'the log is too long')
  await using node = startNode({ refusal: () => refusal })
  const keys = memoryKeyStore()
  const dial: DialNode = async ({ node: of }) => {
    const phone = node.network.join(memoryNodeId(2))
    return {
      node: of,
      local: fromHex(phone.rpc.self) as Uint8Array,
      openStream: (protocol) => phone.openStream(node.id, protocol, new AbortController().signal),
      close: async () => phone[Symbol.asyncDispose](),
    }
  }
  const pairThere = async (): Promise<void> => {
    const { link } = await node.open()
    const run = await pair(link ?? '', { keys, crypto, dial })
    await node.code(run.digits)
    run.confirm()
    await run.done
  }
  const entries = async (): Promise<number | undefined> =>
    (await openIdentity({ keys, crypto }))?.state.entries.length
  await expect(pairThere()).rejects.toMatchObject({ code: 'TOO_LARGE' })
  expect(await entries()).toBe(1)
  refusal = undefined
  // What comes after pairing this node does not speak.
  await expect(pairThere()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  expect(await entries()).toBe(2)
  expect(node.hosted[0]?.state.entries).toHaveLength(2)
})

test('an app waits until an owner admits it, and is given the log', async () => {
  await using node = startNode()
  const ownerKeys = deviceFromSeed(crypto, random.bytes(32))
  const { state: person } = createIdentity(crypto, ownerKeys)
  node.people.add(toHex(person.id))
  const phone = await scan(node, (await node.open()).link ?? '', 'app')
  const digits = await phone.digits()
  await expect(node.code(digits, random.bytes(32))).rejects.toMatchObject({ code: 'UNKNOWN_IDENTITY' })
  await node.code(digits, person.id)
  phone.accept()
  const pending = await present(async () => {
    const shown = (await node.show()).pending
    return shown?.possession ? { ...shown, possession: shown.possession } : undefined
  })
  const admission = {
    key: pending.device,
    boxKey: pending.box,
    role: 'app' as const,
    capabilities: [],
    probation: false,
  }
  const foreign = createIdentity(crypto, ownerKeys).state
  await expect(node.admit(encodeLog(foreign.entries))).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
  await expect(node.admit(encodeLog(person.entries))).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
  const admitted = append(crypto, person, [
    addDevice(crypto, person, ownerKeys, admission, pending.possession),
  ])
  await node.admit(encodeLog(admitted.entries))
  const done = await present(() => {
    const now = phone.state()
    return now.state === 'paired' ? now : undefined
  })
  const state = replay(crypto, decodeLog(crypto, done.log as Uint8Array))
  expect(state.id).toEqual(person.id)
  expect(node.labels).toEqual([`${toHex(person.id)} ${toHex(phone.keys.key)} Ada`])
})

test('a wrong code hosts nobody, tells the phone, and the third time locks the door', async () => {
  await using node = startNode()
  for (const [round, code] of ['PAIRING_BURNT', 'PAIRING_BURNT', 'PAIRING_LOCKED'].entries()) {
    const phone = await scan(node, (await node.open()).link ?? '', 'owner', round + 2)
    const digits = await phone.digits()
    await expect(node.code(digits === '123456' ? '123457' : '123456')).rejects.toMatchObject({ code })
    await phone.ended
    expect(phone.state()).toMatchObject({ state: 'failed', error: { code: 'PAIRING_BURNT' } })
  }
  expect(node.hosted).toEqual([])
  await expect(node.open()).rejects.toMatchObject({ code: 'PAIRING_LOCKED' })
  expect((await node.show()).state).toBe('locked')
  // Which nobody undoes by the way.
  await node.operations['admin.pair.cancel']({}, call)
  expect((await node.show()).state).toBe('locked')
  await node.operations['admin.pair.unlock']({}, call)
  expect((await node.open()).state).toBe('waiting')
})

test('the link is shown as a QR for terminals and pages', async () => {
  await using node = startNode()
  await node.open()
  const terminal = await node.operations['admin.pair.show']({ qr: 'terminal' }, call)
  const svg = await node.operations['admin.pair.show']({ qr: 'svg' }, call)
  expect(terminal).toMatchObject({ qr: expect.stringContaining('▄') })
  expect(svg).toMatchObject({ qr: expect.stringContaining('<svg') })
})

test('a link lasts as long as nobody says otherwise; where none is shown there is no QR of it, and nobody to admit', async () => {
  await using node = startNode()
  expect(await node.operations['admin.pair.show']({ qr: 'svg' }, call)).toMatchObject({ qr: null })
  await expect(node.admit(new Uint8Array(0))).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: 'no app waits to be admitted',
  })
  expect(await node.open({})).toMatchObject({ state: 'waiting' })
  const { remainingMs } = await node.show()
  expect(remainingMs).toBeLessThanOrEqual(pairingLimits.lifetimeSDefault * 1_000)
  expect(remainingMs).toBeGreaterThan(60_000)
})

test('a link that is taken back while its digits are drawn up leaves none to type', async () => {
  await using node = startNode()
  const opening = node.open()
  await node.operations['admin.pair.cancel']({}, call)
  expect(await opening).toMatchObject({ state: 'burnt', reason: 'cancelled', link: null, typedCode: null })
  const begun = node.operations['pair.begin']({ request: 'AAAA' }, call)
  await expect(begun).rejects.toMatchObject({ message: expect.stringContaining('shows no code') })
})

test('of links that are shown at once the last one counts, by its QR and by its digits', async () => {
  await using node = startNode()
  const [, last] = await Promise.all([node.open(), node.open()])
  const shown = await node.show()
  expect(shown).toMatchObject({ state: 'waiting', link: last.link, typedCode: last.typedCode })
  const { transport } = wayTo(node)
  expect(await linkFromCode(transport, shown.typedCode ?? '', { crypto })).toBe(last.link)
})

test('sixteen streams of strangers who say nothing, and no more', async () => {
  await using node = startNode()
  await node.open()
  const { signal } = new AbortController()
  const stranger = node.network.join(memoryNodeId(7))
  const streams: FrameStream[] = []
  for (let i = 0; i < 17; i++) streams.push(await stranger.openStream(node.id, pairingProtocol, signal))
  await until(() => streams[16]?.signal.aborted)
  expect(streams.map((stream) => stream.signal.aborted).indexOf(true)).toBe(16)
  // Who leaves makes room.
  for (const stream of streams) stream.close()
  await until(async () => {
    const stream = await stranger.openStream(node.id, pairingProtocol, signal)
    await stream.send(Uint8Array.of(0xff)).catch(() => undefined)
    // It is told what is wrong with that; or there is no room yet, and it is closed.
    const { value } = await stream.source[Symbol.asyncIterator]().next()
    return value !== undefined
  })
})

test('bytes that are no message end the stream with the reason', async () => {
  await using node = startNode()
  await node.open()
  const phone = node.network.join(memoryNodeId(7))
  const stream = await phone.openStream(node.server.rpc.self, pairingProtocol, new AbortController().signal)
  await stream.send(Uint8Array.of(0xff, 0, 1))
  const { value } = await stream.source[Symbol.asyncIterator]().next()
  expect(decodePairingMessage(value as Uint8Array)).toMatchObject({ type: 'failed', code: 'BAD_MESSAGE' })
  expect((await node.show()).state).toBe('waiting')
})

/** The node's operations as a phone reaches them, and all that passes. */
function wayTo({ operations }: ReturnType<typeof startNode>) {
  const passed: string[] = []
  const transport = {
    async call(name: 'pair.begin' | 'pair.finish', request: never) {
      const anybody: Call = { ...call, caller: { kind: 'anyone' } }
      const reply = await operations[name](request, anybody)
      passed.push(JSON.stringify([request, reply]))
      return reply
    },
  } as unknown as Pick<Transport, 'call'>
  return { transport, passed }
}

const other = (code: string): string => String((Number(code) + 1) % 10 ** 11).padStart(11, '0')

test('eleven digits give the link to whoever knows them, once, and pairing goes on as from the QR', async () => {
  await using node = startNode()
  const { link, typedCode } = await node.open()
  expect(typedCode).toMatch(/^\d{11}$/)
  const { transport, passed } = wayTo(node)
  const typed = `${typedCode?.slice(0, 3)} ${typedCode?.slice(3, 7)}-${typedCode?.slice(7)}`
  const found = await linkFromCode(transport, typed, { crypto })
  expect(found).toBe(link)
  for (const shown of [typedCode ?? '', link ?? '', link?.split('=')[1] ?? ''])
    expect(passed.join()).not.toContain(shown)
  expect(await node.show()).toMatchObject({ state: 'waiting', link, typedCode: null })
  await expect(linkFromCode(transport, typed, { crypto })).rejects.toMatchObject({ code: 'PAIRING_BURNT' })
  const phone = await scan(node, found, 'owner')
  await node.code(await phone.digits())
  phone.accept()
  await until(() => phone.state().state === 'paired')
})

test('three wrong ones end it; the QR beside them serves on', async () => {
  await using node = startNode()
  const { typedCode, link } = await node.open()
  const { transport } = wayTo(node)
  for (const wrong of [1, 2, 3]) {
    expect((await node.show()).typedCode, `before try ${wrong}`).toBe(typedCode)
    const tried = linkFromCode(transport, other(typedCode ?? ''), { crypto })
    await expect(tried).rejects.toMatchObject({
      code: 'PAIRING_BURNT',
      message: 'the node shows another code',
    })
  }
  expect(await node.show()).toMatchObject({ state: 'waiting', link, typedCode: null })
  await expect(linkFromCode(transport, typedCode ?? '', { crypto })).rejects.toMatchObject({
    code: 'PAIRING_BURNT',
  })
  // Another code with another link.
  expect((await node.open()).typedCode).not.toBe(typedCode)
})

test('what is no code, no message of the exchange, or of no exchange, is refused', async () => {
  await using node = startNode()
  const { transport } = wayTo(node)
  await expect(linkFromCode(transport, '12345678901', { crypto })).rejects.toMatchObject({
    code: 'PAIRING_BURNT',
  })
  const { typedCode } = await node.open()
  for (const typed of ['', '1234567890', '123456789012', '1234567890a'])
    await expect(linkFromCode(transport, typed, { crypto })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  expect((await node.show()).typedCode).toBe(typedCode)
  const refused = { code: 'PAIRING_BURNT' }
  const { 'pair.begin': begin, 'pair.finish': finish } = node.operations
  await expect(begin({ request: 'AAAA' }, call)).rejects.toMatchObject(refused)
  await expect(finish({ attempt: 1, finish: 'AAAA' }, call)).rejects.toMatchObject(refused)
  const { client, ready } = await import('@serenity-kit/opaque')
  await ready
  const { startLoginRequest } = client.startLogin({ password: typedCode ?? '' })
  const begun = await begin({ request: startLoginRequest }, call)
  if (begun instanceof Uint8Array) throw new Error('encoded')
  await expect(finish({ attempt: begun.attempt, finish: 'AAAA' }, call)).rejects.toMatchObject(refused)
  await expect(finish({ attempt: begun.attempt, finish: 'AAAA' }, call)).rejects.toMatchObject(refused)
  // A node that answers nonsense.
  const liar = { call: async () => ({ attempt: 1, response: 'AAAA' }) } as unknown as Pick<Transport, 'call'>
  await expect(linkFromCode(liar, typedCode ?? '', { crypto })).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
})

test('whatever is said in the exchange, the node answers or refuses, and shows nothing by it', async () => {
  const typed = new TypedCode({ crypto, random })
  const { client, ready } = await import('@serenity-kit/opaque')
  await ready
  const { 'pair.begin': begin, 'pair.finish': finish } = typed.operations
  const outcomes = new Map<string, number>()
  const note = async (answer: Promise<unknown>): Promise<void> => {
    const outcome = await answer.then(
      () => 'answered',
      (error: unknown) => (error as { code: string }).code,
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  const mutated = (text: string): string => {
    const at = Math.floor(random.next() * text.length)
    const kind = Math.floor(random.next() * 3)
    if (kind === 0) return text.slice(0, at)
    return (
      text.slice(0, at) + String.fromCharCode(33 + Math.floor(random.next() * 94)) + text.slice(at + kind - 1)
    )
  }
  for (let round = 0; round < 150; round++) {
    await typed.offer('http://192.0.2.1/phone/#p=AQ')
    const password = typed.code ?? ''
    const { startLoginRequest, clientLoginState } = client.startLogin({ password })
    await note(begin({ request: mutated(startLoginRequest) }, call))
    const begun = await begin({ request: startLoginRequest }, call)
    if (begun instanceof Uint8Array) throw new Error('encoded')
    const { attempt, response: loginResponse } = begun
    const finished = client.finishLogin({
      ...{ clientLoginState, loginResponse, password },
      keyStretching: { 'argon2id-custom': { iterations: 1, memory: 8, parallelism: 1 } },
    })
    await note(finish({ attempt, finish: mutated(finished?.finishLoginRequest ?? '') }, call))
  }
  // A changed last letter may stand for the same bytes, and a changed request is a request of another.
  expect([...outcomes.keys()].toSorted()).toEqual(['PAIRING_BURNT', 'answered'])
  expect(outcomes.get('PAIRING_BURNT')).toBeGreaterThan(200)
})
