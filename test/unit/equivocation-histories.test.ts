/**
 * Small histories, drawn: three devices of one person, the same few items, numbers used twice and thrice, deletes, and the
 * revocation of one device with what it names. Holders hear of it in different orders, and of parts of it, and compare with
 * each other: whatever the order, they hold and show the same.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  numberListHash,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { clockInfinity } from '../../protocol/reconcile/bound.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { createPerson, draftBy } from '../support/people.ts'
import { openReplicas, type Replica, type Replicas, type ReplicasOptions } from '../support/replicas.ts'
import { createSeededRandom, type SeededRandom } from '../support/seeded-random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = await loadCrypto({ random: createSeededRandom(7) })
const startMs = createVirtualClock().nowMs()
const names = ['phone', 'tablet', 'laptop'] as const

type Event = { readonly record: SignedRecord; readonly bytes: Uint8Array } | { readonly log: Uint8Array }

interface History {
  readonly owner: Uint8Array
  readonly log: Uint8Array
  /** As one holder hears of them: of two records that bear a number, what the revocation lists comes first. */
  readonly events: readonly Event[]
  readonly revoked: Uint8Array | undefined
  /** Records that count in the end, in hex. */
  readonly counts: ReadonlySet<string>
}

function upTo({ next }: SeededRandom, count: number): number {
  return Math.floor(next() * count)
}

function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const left = [...items]
  return items.map(() => left.splice(upTo(random, left.length), 1)[0] as T)
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [i, first] of items.entries())
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [first, ...rest]
}

function draw(random: SeededRandom, size: number): History {
  const person = createPerson(crypto)
  const { device: phone } = person
  let { state } = person
  const [tablet, laptop] = [0, 0].map(() => deviceFromSeed(crypto, crypto.random(32))) as [
    typeof phone,
    typeof phone,
  ]
  for (const device of [tablet, laptop]) {
    const possession = provePossession(crypto, state.id, device)
    state = append(crypto, state, [
      addDevice(crypto, state, phone, ownerAdmission(device, false), possession),
    ])
  }
  const devices = { phone, tablet, laptop }
  const isRevoked = random.next() < 0.7
  const records: SignedRecord[] = []
  while (records.length < (isRevoked ? size - 1 : size)) {
    const device = devices[names[Math.min(2, upTo(random, 5))] as 'phone']
    const clock = clockOf(startMs - 100_000 + upTo(random, 3))
    const items = records.filter(({ header }) => header.merge === 'append' && header.key.length === 0)
    const item = items[upTo(random, items.length)]
    const isItem = random.next() < 0.3
    const isDelete = random.next() < 0.25 && (!isItem || item !== undefined)
    const record = signRecord(
      crypto,
      {
        ...draftBy({ device, state }),
        number: 1 + upTo(random, 2),
        clock,
        ...(isItem
          ? {
              merge: 'append',
              key: item !== undefined && (isDelete || random.next() < 0.5) ? item.id : new Uint8Array(0),
            }
          : { key: Uint8Array.of(upTo(random, 2)) }),
        ...(isDelete ? { operation: 'delete', sections: [] } : {}),
      },
      device.seed,
    )
    records.push(record)
  }
  const events: Event[] = records.map((record) => ({ record, bytes: encodeRecord(record) }))
  const log = encodeLog(state.entries)
  if (!isRevoked)
    return {
      owner: state.id,
      log,
      events,
      revoked: undefined,
      counts: new Set(records.map(({ id }) => toHex(id))),
    }
  const written = records.filter(({ header }) => toHex(header.device) === toHex(laptop.key))
  const lastNumber = upTo(random, 3)
  const list = [1, 2].flatMap((number) => {
    const first = written.find(({ header }) => header.number === number)
    return first === undefined || number > lastNumber ? [] : [{ number, id: first.id }]
  })
  const listHash = numberListHash(crypto, state.id, laptop.key, list)
  const numbers = [{ owner: state.id, lastNumber: list.at(-1)?.number ?? 0, listHash, lastEntry: undefined }]
  const { entry } = revokeDevice(crypto, state, phone, laptop.key, numbers)
  const listed = new Set(list.map(({ id }) => toHex(id)))
  const counts = records.filter((one) => !written.includes(one) || listed.has(toHex(one.id)))
  return {
    owner: state.id,
    log,
    events: [...events, { log: encodeLog([entry]) }],
    revoked: laptop.key,
    counts: new Set(counts.map(({ id }) => toHex(id))),
  }
}

async function hear({ wait }: Replicas, { ingest, identities }: Replica, { owner }: History, event: Event) {
  if ('log' in event) await wait(identities.accept(owner, event.log))
  else await wait(ingest.accept([event.bytes], { from: 'peer', node: 'somebody' }))
}

/** What a holder has and shows; which record of a doubled number came first is its own affair. */
async function heldBy({ store, digests }: Replica, { owner, events, revoked }: History) {
  const { records } = store
  const shown = events.flatMap((event) => {
    if (!('record' in event)) return []
    const { app, collection } = event.record.header
    const winner = records.winnerEntry(owner, app, collection, itemKey(event.record))?.ref
    return [winner && toHex(winner.id)]
  })
  // Of a revoked device it depends on what was here before the revocation.
  const doubled = (await records.equivocations(owner)).filter(
    ({ device }) => revoked === undefined || toHex(device) !== toHex(revoked),
  )
  return {
    refs: (await records.refs(owner)).map(({ id }) => toHex(id)),
    fingerprint: toHex((await digests.of(owner, clockInfinity)).fingerprint),
    shown,
    latest: (await records.latest(owner, 'notes', 'note')).map(({ ref }) => toHex(ref.id)),
    count: records.count(owner, 'notes', 'note'),
    proven: [...new Set(doubled.map(({ device, number }) => `${toHex(device)} ${number}`))].toSorted(),
  }
}

/** Compare in random pairs until nothing moves any more; what a revocation left open is tried again meanwhile. */
async function converge(
  { all, clock, wait }: Replicas,
  owner: Uint8Array,
  random: SeededRandom,
  isOnDisk: boolean,
): Promise<void> {
  const { signal } = new AbortController()
  for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
    if (rounds > 12) throw new Error('they never become quiet')
    let moved = 0
    const pairs = all.flatMap((a) => all.flatMap((b) => (a === b ? [] : [[a, b] as const])))
    for (const [a, b] of shuffled(random, pairs)) {
      const { received, sent } = await wait(a.reconcile.with(b.node, signal, [owner]))
      moved += received + sent
    }
    await clock.advance(15_000)
    if (isOnDisk) await still(all, owner, clock)
    quiet = moved === 0 ? quiet + 1 : 0
  }
}

/** A disk takes its time, of which the virtual clock knows nothing: until nothing is dropped or moved any more. */
async function still(all: Replicas['all'], owner: Uint8Array, clock: Replicas['clock']): Promise<void> {
  const seen = async (): Promise<string> =>
    (await Promise.all(all.map(({ store }) => store.records.refs(owner)))).map(({ length }) => length).join()
  for (let same = 0, before = await seen(); same < 3; ) {
    await setTimeout(30)
    await clock.advance(1_000)
    const now = await seen()
    same = now === before ? same + 1 : 0
    before = now
  }
}

/** Each holder hears its part in its order; then they compare. Answers what all of them have in the end. */
async function endOf(
  history: History,
  orders: readonly (readonly Event[])[],
  random: SeededRandom,
  openKv?: ReplicasOptions['openKv'],
) {
  await using replicas = await openReplicas(orders.length, { crypto, ...history, ...(openKv && { openKv }) })
  const { all } = replicas
  for (const [i, order] of orders.entries())
    for (const event of order) await hear(replicas, all[i] as Replica, history, event)
  await converge(replicas, history.owner, random, openKv !== undefined)
  const [first, ...others] = await Promise.all(all.map((one) => heldBy(one, history)))
  for (const other of others) expect(other).toStrictEqual(first)
  return first!
}

/** The revocation is heard of everywhere in the end: it is pushed; records that only some heard of are compared. */
function part(random: SeededRandom, events: readonly Event[]): Event[] {
  return events.filter((event) => 'log' in event || random.next() < 0.6)
}

test('every order of up to five: holders end alike, and as the revocation says', async () => {
  const random = createSeededRandom(1)
  let orders = 0
  for (const size of [3, 4, 4, 5, 5]) {
    const history = draw(random, size)
    const { events, counts } = history
    let expected: unknown
    for (const order of permutations(events)) {
      // One of them is the node that told the owner what the device wrote.
      const heard = [events, order, ...(orders % 3 === 0 ? [part(random, shuffled(random, events))] : [])]
      const end = await endOf(history, heard, random)
      expect(new Set(end.refs)).toEqual(counts)
      expected ??= end
      expect(end).toStrictEqual(expected)
      orders++
    }
  }
  expect(orders).toBe(6 + 24 + 24 + 120 + 120)
})

test('orders and parts of up to eight, drawn: holders end alike', async () => {
  const random = createSeededRandom(2)
  const drawn = { doubled: 0, revoked: 0 }
  for (let i = 0; i < 150; i++) {
    const history = draw(random, 5 + upTo(random, 4))
    // Nobody may have heard first what the revocation lists, and no two the same: alike they end all the same.
    const heard = Array.from({ length: 2 + (i % 2) }, () => part(random, shuffled(random, history.events)))
    const { proven } = await endOf(history, heard, random)
    if (proven.length > 0) drawn.doubled++
    if (history.revoked !== undefined) drawn.revoked++
  }
  // It is about what it says.
  expect(drawn.doubled).toBeGreaterThan(75)
  expect(drawn.revoked).toBeGreaterThan(75)
})

test('on disk as in memory', async () => {
  const random = createSeededRandom(3)
  const folder = await mkdtemp(join(tmpdir(), 'onehop-orders-'))
  try {
    let opened = 0
    const openKv = () => openLevelKv(join(folder, `${opened++}`), { clock: systemClock })
    for (let i = 0; i < 4; i++) {
      const history = draw(random, 8)
      const heard = [history.events, ...[0, 0].map(() => shuffled(random, history.events))]
      const inMemory = await endOf(history, heard, random)
      expect(new Set(inMemory.refs)).toEqual(history.counts)
      expect(await endOf(history, heard, random, openKv)).toStrictEqual(inMemory)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
