import { expect, test } from 'vitest'
import { makeIdentity } from '../../client/identity/identity.ts'
import { memoryKeyStore } from '../../client/key-store.ts'
import type { KeyStore } from '../../client/key-store.ts'
import { Outbox } from '../../client/outbox.ts'
import type { Lacking } from '../../client/outbox.ts'
import { Writer } from '../../client/writer.ts'
import type { UnnumberedDraft } from '../../client/writer.ts'
import type { ReplyOf, RequestOf } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { createFakeNode } from '../support/fake-transport.ts'
import { seededCrypto } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = seededCrypto(9)
const silent = { debug() {}, info() {}, warn() {}, error() {} }

type Answer = (request: RequestOf<'record.put'>) => ReplyOf<'record.put'>['results']

const stored: Answer = ({ records }) =>
  records.map((bytes) => ({
    outcome: 'stored',
    id: decodeRecord(crypto, bytes).id,
    code: null,
    message: null,
  }))
const refused =
  (code: string): Answer =>
  ({ records }) =>
    records.map(() => ({ outcome: 'refused', id: null, code, message: 'no' }))

async function device(keys: KeyStore = memoryKeyStore()) {
  const clock = createVirtualClock()
  const identity = await makeIdentity({ keys, crypto })
  const draft: UnnumberedDraft = () => ({
    owner: identity.id,
    app: 'a',
    collection: 'c',
    key: new Uint8Array(1),
    merge: 'register',
    operation: 'put',
    schema: new Uint8Array(32),
    expiresMs: undefined,
    sections: [{ audience: 'public', fields: { text: 'x' } }],
  })
  const open = () => new Writer({ keys, crypto, clock, identity, offsetMs: () => 0 })
  return { keys, clock, identity, draft, open }
}

async function withOutbox(answer: Answer, supply: (what: Lacking) => Promise<void> = async () => {}) {
  const made = await device()
  const state = { answer }
  const node = createFakeNode('n', made.clock, 1, {
    'record.put': (request) => ({ results: state.answer(request), clockMs: 0 }),
  })
  const openOutbox = (own = made.identity.device) =>
    Outbox.open({
      keys: made.keys,
      clock: made.clock,
      addressOf: () => node.transport.address,
      send: (_, records, signal) => node.transport.call('record.put', { records }, { signal }),
      headerOf: (record) => decodeRecord(crypto, record).header,
      device: own,
      log: silent,
      supply,
    })
  return { ...made, state, node, openOutbox }
}

test('numbers go on after a restart, and two writers of one store never share one', async () => {
  const { draft, open } = await device()
  const [first, second] = [open(), open()]
  const written = await Promise.all([
    first.write([draft, draft]),
    second.write([draft]),
    first.write([draft]),
  ])
  const numbers = written.flat().map(({ record }) => record.header.number)
  expect(numbers.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
  const [next] = await open().write([draft])
  expect(next?.record.header.number).toBe(5)
  const clocks = [...written.flat(), next!].map(({ record }) => record.header.clock)
  expect(new Set(clocks).size).toBe(5)
})

test('a record whose number was kept is in the outbox, and a failed write uses up no number', async () => {
  const keys = memoryKeyStore()
  const { draft, open, identity, clock } = await device(keys)
  const full: KeyStore = { ...keys, write: () => Promise.reject(new Error('disk')) }
  const failing = new Writer({ keys: full, crypto, clock, identity, offsetMs: () => 0 })
  await expect(failing.write([draft])).rejects.toThrow('disk')
  expect(await keys.list('outbox/')).toEqual([])
  const [written] = await open().write([draft])
  expect(written?.record.header.number).toBe(1)
  expect(await keys.list('outbox/')).toEqual([written?.name])
})

test('what was sent leaves the store; what was not is sent by the next run, in order', async () => {
  const { clock, draft, open, keys, node, openOutbox } = await withOutbox(stored)
  node.state = 'gone'
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(1_000)
  expect(outbox.size).toBe(1)
  await outbox.close()
  await expect(accepted).rejects.toMatchObject({ code: 'CLOSED' })
  expect(clock.pending()).toBe(0)

  node.state = 'up'
  const again = await openOutbox()
  const [second] = again.add(await open().write([draft]))
  await clock.advance(1_000)
  await expect(second).resolves.toEqual({ address: 'n' })
  expect(again.size).toBe(0)
  expect(await keys.list('outbox/')).toEqual([])
  await again.close()
})

test('tries again with growing pauses, and at once when asked to flush', async () => {
  const { clock, draft, open, node, openOutbox } = await withOutbox(stored)
  node.state = 'gone'
  const outbox = await openOutbox()
  void outbox.add(await open().write([draft]))
  await clock.advance(60_000)
  expect(node.calls.length).toBeGreaterThan(5)
  expect(node.calls.length).toBeLessThan(15)
  node.state = 'up'
  const flushed = outbox.flush()
  await clock.advance(10)
  await flushed
  await outbox.close()
})

test('a refusal rejects its own record alone, and the next flush once', async () => {
  const { clock, draft, open, state, openOutbox } = await withOutbox(refused('BAD_FIELD'))
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  await expect(accepted).rejects.toMatchObject({ code: 'BAD_FIELD', retryable: false })
  state.answer = stored
  const [next] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  await next
  await expect(outbox.flush()).rejects.toMatchObject({ code: 'BAD_FIELD' })
  await outbox.flush()
  await outbox.close()
})

test('a refusal that will pass is waited out', async () => {
  const { clock, draft, open, state, openOutbox } = await withOutbox(refused('STORE_FULL'))
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(5_000)
  expect(outbox.size).toBe(1)
  state.answer = stored
  await clock.advance(20_000)
  await accepted
  await outbox.close()
})

test('what the node lacks is sent to it, and asked for no more than a few times', async () => {
  const supplied: Lacking[] = []
  const { clock, draft, open, state, openOutbox } = await withOutbox(
    refused('UNKNOWN_SCHEMA'),
    async (what) => {
      supplied.push(what)
      if (supplied.length === 2) state.answer = stored
    },
  )
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  await accepted
  expect(supplied).toEqual(['UNKNOWN_SCHEMA', 'UNKNOWN_SCHEMA'])

  state.answer = refused('NOT_HOSTED')
  const [never] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  await expect(never).rejects.toMatchObject({ code: 'NOT_HOSTED' })
  await outbox.close()
})

test('records of a shard whose nodes are away hold up nobody else', async () => {
  const made = await device()
  const group = new Uint8Array(32).fill(9)
  let isAway = true
  const sent: string[] = []
  const outbox = await Outbox.open({
    keys: made.keys,
    clock: made.clock,
    addressOf: (of) => (of?.[0] === 9 ? 'theirs' : 'n'),
    headerOf: (record) => decodeRecord(crypto, record).header,
    device: made.identity.device,
    log: silent,
    supply: async () => {},
    async send(owner, records) {
      if (isAway && owner[0] === 9) throw new OnehopError('UNREACHABLE', 'nobody answers')
      sent.push(owner[0] === 9 ? 'group' : 'own')
      return { results: stored({ records }), clockMs: 0 }
    },
  })
  const writer = made.open()
  const [first] = outbox.add(await writer.write([(clock) => ({ ...made.draft(clock), owner: group })]))
  const [second] = outbox.add(await writer.write([made.draft]))
  expect(await second).toEqual({ address: 'n' })
  expect([sent, outbox.size]).toEqual([['own'], 1])
  isAway = false
  await made.clock.advance(60_000)
  expect(await first).toEqual({ address: 'theirs' })
  expect(sent).toEqual(['own', 'group'])
  await outbox.close()
})

test('what is refused for its key waits for another, counts as waiting, and nothing more is written under this one', async () => {
  const { keys, clock, draft, open, openOutbox } = await withOutbox(refused('EQUIVOCATION'))
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  const equivocation = { code: 'EQUIVOCATION' }
  await expect(accepted).rejects.toMatchObject(equivocation)
  expect([outbox.isKeyRefused, outbox.size]).toEqual([true, 1])
  for (const _ of [1, 2]) await expect(outbox.flush()).rejects.toMatchObject(equivocation)
  expect(() => outbox.checkRoom(1)).toThrow(expect.objectContaining(equivocation))
  await outbox.close()
  expect(await keys.list('outbox/')).toHaveLength(1)
})

test('a record of a former key says nothing about this one', async () => {
  const { keys, clock, draft, open, openOutbox } = await withOutbox(refused('EQUIVOCATION'))
  await open().write([draft])
  const next = deviceFromSeed(crypto, new Uint8Array(32).fill(5))
  await keys.write(new Map([['device', next.seed]]))
  const outbox = await openOutbox(next)
  await clock.advance(100)
  expect([outbox.isKeyRefused, outbox.size, await keys.list('outbox/')]).toEqual([false, 0, []])
  await outbox.close()
})

test('goes on where the store cannot be read just now', async () => {
  const { keys, clock, draft, open, openOutbox } = await withOutbox(stored)
  const written = await open().write([draft])
  const outbox = await openOutbox()
  const { get } = keys
  keys.get = async () => {
    keys.get = get
    throw new OnehopError('STORE_UNWRITABLE', 'too many open files')
  }
  const [accepted] = outbox.add(written)
  await clock.advance(100)
  await accepted
  await outbox.close()
})

test('gives up what another tab has signed anew, and leaves it where it is kept', async () => {
  const { keys, clock, draft, open, state, node, openOutbox } = await withOutbox(refused('STORE_FULL'))
  const outbox = await openOutbox()
  const [accepted] = outbox.add(await open().write([draft]))
  await clock.advance(100)
  await keys.write(new Map([['device', new Uint8Array(32).fill(5)]]))
  state.answer = stored
  const sent = node.calls.length
  await clock.advance(60_000)
  await expect(accepted).rejects.toMatchObject({ code: 'STALE' })
  await expect(outbox.flush()).rejects.toMatchObject({ code: 'STALE' })
  expect([node.calls.length, outbox.size]).toEqual([sent, 0])
  expect(await keys.list('outbox/')).toHaveLength(1)
  await outbox.close()
  expect(() => outbox.checkRoom(1)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})
