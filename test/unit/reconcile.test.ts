import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, concatBytes, fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { clockInfinity } from '../../protocol/reconcile/bound.ts'
import {
  createInitiator,
  type ReconcileOptions,
  respond,
  takeUp,
  type Taking,
} from '../../protocol/reconcile/machine.ts'
import { reconcileLimits } from '../../protocol/reconcile/message.ts'
import { type ReconcileSet, setBelow } from '../../protocol/reconcile/set.ts'
import { encodeVarint } from '../../protocol/reconcile/varint.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import type { RecordRef } from '../../protocol/record/types.ts'
import { manyRanges } from '../support/many-ranges.ts'

const item = (clock: bigint, seed: string): RecordRef => ({ clock, id: sha256(utf8(seed)) })
const setOf = (items: Iterable<RecordRef>): ReconcileSet => reconcileVector(items, sha256)

function exchange(ours: ReconcileSet, theirs: ReconcileSet, options: ReconcileOptions = {}) {
  const initiator = createInitiator(options)
  const have: string[] = []
  const need: string[] = []
  let message: Uint8Array | undefined = initiator.initiate(ours)
  let rounds = 0
  let bytes = 0
  let messageBytesMax = 0
  while (message !== undefined) {
    const answer = respond(theirs, message, options)
    rounds++
    bytes += message.length + answer.length
    messageBytesMax = Math.max(messageBytesMax, message.length, answer.length)
    const step = initiator.reconcile(ours, answer)
    have.push(...step.have.map(({ id }) => toHex(id)))
    need.push(...step.need.map(toHex))
    message = step.reply
  }
  return { have: have.sort(), need: need.sort(), rounds, bytes, messageBytesMax }
}

const idsOf = (items: readonly RecordRef[]): string[] => items.map(({ id }) => toHex(id)).sort()

const anyClock = fc.oneof(
  fc.bigInt({ min: 0n, max: clockInfinity - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 53n + 1n, clockInfinity - 1n),
  // Many records of one instant, told apart by their ids alone.
  fc.bigInt({ min: 2n ** 60n, max: 2n ** 60n + 3n }),
)
const anyItem = fc.record({ clock: anyClock, id: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
const anyItems = (maxLength: number) =>
  fc.uniqueArray(anyItem, { maxLength, selector: ({ id }) => toHex(id), size: 'max' })

/** What another implementation makes of the same three items: the tests of github.com/hoytech/negentropy (kotlin, at 7568ac1) state it. */
const known = {
  items: [
    [1678011277n, 'eb6b05c2e3b008592ac666594d78ed83e7b9ab30f825b9b08878128f7500008c'],
    [1678011278n, '39b916432333e069a4386917609215cc688eb99f06fed01aadc29b1b4b92d6f0'],
    [1678011279n, 'abc81d58ebe3b9a87100d47f58bf15e9b1cbf62d38623f11d0f0d17179f5f3ba'],
  ] as const,
  /** Of the first, the first two, all three. */
  fingerprints: [
    '6d74e1212fcafc8a81d090f0ffbde8b0',
    '96b26d110825d4b1805fc56988a3e65d',
    'c15ce60f185fd24ae341076caa93daa5',
  ],
}

describe('as Negentropy V1 elsewhere', () => {
  const ours = setOf(known.items.map(([clock, id]) => ({ clock, id: fromHex(id, 32) as Uint8Array })))

  it('makes the same fingerprints', () => {
    expect([1, 2, 3].map((to) => toHex(ours.fingerprint(0, to)))).toEqual(known.fingerprints)
  })

  it('begins with the same bytes: version, one range to infinity, three ids in order', () => {
    const ids = known.items.map(([, id]) => id).join('')
    expect(toHex(createInitiator().initiate(ours))).toBe(`6100000203${ids}`)
  })

  it('answers another version with its own', () => {
    expect(toHex(respond(ours, fromHex('62aabbccddeeff', 7) as Uint8Array))).toBe('61')
  })
})

/** Until it is done, each step with the set as it then is. */
function inSteps<T>(
  taking: Taking<T>,
  set: () => ReconcileSet,
  ranges: number,
): { readonly done: T; readonly steps: number } {
  for (let steps = 1; ; steps++) {
    const done = taking.step(set(), ranges)
    if (done !== undefined) return { done, steps }
  }
}

describe('reconciliation', () => {
  it('finds exactly the set difference, whatever the clocks', () => {
    fc.assert(
      fc.property(anyItems(200), anyItems(40), anyItems(40), (both, mine, yours) => {
        const seen = new Set(idsOf(both))
        const ours = mine.filter(({ id }) => !seen.has(toHex(id)))
        for (const id of idsOf(ours)) seen.add(id)
        const theirs = yours.filter(({ id }) => !seen.has(toHex(id)))
        const found = exchange(setOf([...both, ...ours]), setOf([...both, ...theirs]))
        expect(found.have).toEqual(idsOf(ours))
        expect(found.need).toEqual(idsOf(theirs))
      }),
      { numRuns: 60 },
    )
  })

  it.each([
    ['spread', (n: number) => BigInt(n) * 2n ** 40n],
    ['one instant', () => 2n ** 62n],
    ['bursts', (n: number) => BigInt(Math.floor(n / 500)) << 33n],
  ])('finds the difference of large sets in small frames: %s', (_, clock) => {
    const all = Array.from({ length: 6000 }, (_, n) => item(clock(n), `item ${n}`))
    const ours = all.filter((_, n) => n % 7 !== 0)
    const theirs = all.filter((_, n) => n % 5 !== 0)
    const found = exchange(setOf(ours), setOf(theirs), { messageBytes: 4096 })
    expect(found.messageBytesMax).toBeLessThanOrEqual(4096)
    // Equal lists, not sets: an id that is reported twice is a fault.
    expect(found.have).toEqual(idsOf(all.filter((_, n) => n % 7 !== 0 && n % 5 === 0)))
    expect(found.need).toEqual(idsOf(all.filter((_, n) => n % 7 === 0 && n % 5 !== 0)))
  })

  it('fills an empty side from a full one, and the other way round, in small frames', () => {
    const all = Array.from({ length: 3000 }, (_, n) => item(BigInt(n), `item ${n}`))
    expect(exchange(setOf([]), setOf(all), { messageBytes: 4096 }).need).toEqual(idsOf(all))
    expect(exchange(setOf(all), setOf([]), { messageBytes: 4096 }).have).toEqual(idsOf(all))
  })

  it('spends at most three round trips and 90 KB on 200 differences in 10,000', () => {
    const start = 1_700_000_000_000n << 16n
    const all = Array.from({ length: 10_100 }, (_, n) =>
      item(start + BigInt(n * 777_000) * 65_536n, `post ${n}`),
    )
    const ours = setOf(all.filter((_, n) => n % 101 !== 50))
    const theirs = setOf(all.filter((_, n) => n % 101 !== 0))
    const found = exchange(ours, theirs)
    expect(found.have.length + found.need.length).toBe(200)
    expect(found.rounds).toBeLessThanOrEqual(3)
    expect(found.bytes).toBeLessThanOrEqual(90_000)
  })

  it('spends one round trip and under 1 KB on equal sets', () => {
    const all = Array.from({ length: 20_000 }, (_, n) => item(2n ** 63n + BigInt(n) * 2n ** 41n, `post ${n}`))
    const found = exchange(setOf(all), setOf(all.toReversed()))
    expect(found).toMatchObject({ rounds: 1, have: [], need: [] })
    expect(found.bytes).toBeLessThanOrEqual(1000)
  })

  it('leaves out what lies at or above an agreed clock', () => {
    const items = Array.from({ length: 100 }, (_, n) => item(BigInt(n), `item ${n}`))
    const limited = setBelow(setOf(items), 60n)
    expect(limited.size).toBe(60)
    expect(exchange(limited, setOf(items.slice(0, 60)))).toMatchObject({ have: [], need: [] })
    expect(exchange(limited, setBelow(setOf(items.slice(30)), 60n)).have).toEqual(idsOf(items.slice(0, 30)))
  })

  it('sums fingerprints over any range', () => {
    const items = Array.from({ length: 300 }, (_, n) => item(BigInt(n), `item ${n}`))
    const set = setOf(items)
    for (const [from, to] of [
      [0, 300],
      [0, 0],
      [63, 65],
      [64, 128],
      [128, 300],
      [17, 251],
    ] as const) {
      const little = items
        .slice(from, to)
        .reduce((sum, { id }) => sum + BigInt(`0x${toHex(id.toReversed())}`), 0n)
      const sum = (little % 2n ** 256n).toString(16).padStart(64, '0')
      const expected = sha256(
        concatBytes((fromHex(sum) as Uint8Array).toReversed(), Uint8Array.from(encodeVarint(to - from))),
      )
      expect(toHex(set.fingerprint(from, to))).toBe(toHex(expected.subarray(0, 16)))
    }
  })

  it('refuses to build a set of bad items', () => {
    const one = item(5n, 'one')
    expect(() => setOf([one, item(4n, 'two'), one])).toThrow(/twice/)
    expect(() => setOf([{ clock: clockInfinity, id: one.id }])).toThrow(/clock/)
    expect(() => setOf([{ clock: 1n, id: one.id.subarray(1) }])).toThrow(/32 bytes/)
  })
})

describe('messages that are taken up by and by', () => {
  const all = Array.from({ length: 4_000 }, (_, n) => item(BigInt(n >> 2) << 20n, `item ${n}`))
  const ours = all.filter((_, n) => n % 7 !== 0)
  const theirs = all.filter((_, n) => n % 5 !== 0)

  it('are answered as they are at once', () => {
    const [set, other] = [setOf(ours), setOf(theirs)]
    const [whole, parted] = [createInitiator(), createInitiator()]
    let message: Uint8Array | undefined = whole.initiate(set)
    expect(parted.initiate(set)).toEqual(message)
    let most = 0
    for (const ranges of [1, 3, 1_000, 1, 3, 1_000]) {
      if (message === undefined) break
      let listed = 0
      const reply = respond(other, message)
      const taking = takeUp(message, { onListed: () => void listed++ })
      expect(inSteps(taking, () => other, ranges).done).toEqual(reply)
      const step = whole.reconcile(set, reply)
      const stepped = inSteps(parted.take(reply), () => set, ranges)
      expect(stepped.done).toEqual(step)
      expect(listed).toBeGreaterThanOrEqual(step.need.length)
      most = Math.max(most, stepped.steps)
      message = step.reply
    }
    expect(message).toBeUndefined()
    expect(most).toBeGreaterThan(50)
  })

  it('find all that was there before, and nothing twice, while both sides grow between any two steps', () => {
    const [mine, yours] = [ours.slice(), theirs.slice()]
    let added = 0
    const grown = (held: RecordRef[]) => () => {
      held.push(item(BigInt(added * 37) << 19n, `new ${added++}`))
      return setOf(held)
    }
    const initiator = createInitiator({ messageBytes: 8192 })
    const [have, need]: [string[], string[]] = [[], []]
    let message: Uint8Array | undefined = initiator.initiate(setOf(mine))
    while (message !== undefined) {
      const reply: Uint8Array = inSteps(takeUp(message, { messageBytes: 8192 }), grown(yours), 20).done
      const { done } = inSteps(initiator.take(reply), grown(mine), 20)
      have.push(...idsOf(done.have))
      need.push(...done.need.map((id) => toHex(id)))
      // Each takes what the other found it to lack, as far as it has not come in another way.
      const [held, known] = [new Set(idsOf(yours)), new Set(idsOf(mine))]
      yours.push(...done.have.filter(({ id }) => !held.has(toHex(id))))
      mine.push(
        ...yours.filter(
          ({ id }) => !known.has(toHex(id)) && done.need.some((one) => toHex(one) === toHex(id)),
        ),
      )
      message = done.reply
    }
    expect([new Set(have).size, new Set(need).size]).toEqual([have.length, need.length])
    const [first, second] = [new Set(idsOf(mine)), new Set(idsOf(yours))]
    for (const id of idsOf(all.filter((_, n) => n % 7 !== 0 || n % 5 !== 0))) {
      expect(first.has(id)).toBe(true)
      expect(second.has(id)).toBe(true)
    }
  })

  it('do no more in a step than they are told, however many ranges there are', () => {
    const plain = setOf(all)
    let looks = 0
    const counted = {
      ...plain,
      lowerBound: (bound: Parameters<typeof plain.lowerBound>[0]) => {
        looks++
        return plain.lowerBound(bound)
      },
    }
    const message = manyRanges(55_000)
    const both: readonly Taking<unknown>[] = [takeUp(message), createInitiator().take(message)]
    for (const taking of both) {
      let most = 0
      const watched = () => {
        most = Math.max(most, looks)
        looks = 0
        return counted
      }
      expect(inSteps(taking, watched, 256).steps).toBeGreaterThan(400)
      expect(most).toBeLessThanOrEqual(257)
    }
  })
})

describe('hostile messages', () => {
  const set = setOf(Array.from({ length: 500 }, (_, n) => item(BigInt(n) << 40n, `item ${n}`)))
  const outcome = (act: () => unknown): unknown => {
    try {
      act()
      return 'accepted'
    } catch (error) {
      return (error as { code?: string }).code
    }
  }
  const refused = (bytes: Uint8Array, options?: ReconcileOptions) => {
    const code = outcome(() => respond(set, bytes, options))
    expect(outcome(() => createInitiator(options).reconcile(set, bytes))).toBe(code)
    return code
  }

  it('never crash, hang or answer at length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        for (const bytes of [noise, concatBytes(Uint8Array.of(0x61), noise)]) {
          let length = 0
          const code = outcome(() => (length = respond(set, bytes, { messageBytes: 4096 }).length))
          expect(code).toMatch(/^(?:accepted|BAD_MESSAGE)$/)
          expect(length).toBeLessThanOrEqual(4096)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('are bounded in size and in ranges', () => {
    expect(refused(new Uint8Array(5000).fill(0x61), { messageBytesMax: 4999 })).toBe('TOO_LARGE')
    const ranges = new Uint8Array(1 + 3 * (reconcileLimits.rangesMax + 1))
    ranges[0] = 0x61
    for (let at = 1; at < ranges.length; at += 3) ranges[at] = 2
    expect(refused(ranges)).toBe('TOO_LARGE')
  })

  it('are cut off when the other side changes its mind for ever', () => {
    const initiator = createInitiator()
    const lie = (round: number) =>
      concatBytes(Uint8Array.of(0x61, 0, 0, 1), sha256(utf8(`lie ${round}`)).subarray(0, 16))
    let round = 0
    expect(() => {
      for (; round < 5000; round++) initiator.reconcile(setOf([]), lie(round))
    }).toThrow(/converge/)
    expect(round).toBe(reconcileLimits.roundsMax)
  })

  it('of another version are answered by ours, and told to the initiator', () => {
    expect(respond(set, Uint8Array.of(0x62, 1, 2, 3))).toEqual(Uint8Array.of(0x61))
    expect(() => createInitiator().reconcile(set, Uint8Array.of(0x62))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    )
  })
})

describe('vectors', () => {
  interface Vectors {
    readonly sets: Readonly<Record<string, readonly (readonly [clock: string, id: string])[]>>
    readonly exchanges: readonly {
      readonly name: string
      readonly ours: string
      readonly theirs: string
      readonly messages: readonly string[]
      readonly have: readonly string[]
      readonly need: readonly string[]
    }[]
    readonly invalid: readonly { readonly name: string; readonly message: string; readonly code: string }[]
  }
  const vectors = JSON.parse(
    readFileSync(resolve(import.meta.dirname, '../vectors/reconcile.json'), 'utf8'),
  ) as Vectors
  const vectorSet = (name: string) =>
    setOf(
      (vectors.sets[name] ?? []).map(([clock, id]) => ({
        clock: BigInt(clock),
        id: fromHex(id) as Uint8Array,
      })),
    )

  it.each(vectors.exchanges)('$name', ({ ours, theirs, messages, have, need }) => {
    const initiator = createInitiator()
    const set = vectorSet(ours)
    const sent: string[] = []
    const found = { have: [] as Uint8Array[], need: [] as Uint8Array[] }
    for (let next: Uint8Array | undefined = initiator.initiate(set); next !== undefined; ) {
      const answer = respond(vectorSet(theirs), next)
      sent.push(toHex(next), toHex(answer))
      const step = initiator.reconcile(set, answer)
      found.have.push(...step.have.map(({ id }) => id))
      found.need.push(...step.need)
      next = step.reply
    }
    expect(sent).toEqual(messages)
    expect(found.have.sort(compareBytes).map(toHex)).toEqual(have)
    expect(found.need.sort(compareBytes).map(toHex)).toEqual(need)
  })

  it.each(vectors.invalid)('invalid: $name', ({ message, code }) => {
    expect(() => respond(setOf([]), fromHex(message) as Uint8Array)).toThrow(
      expect.objectContaining({ code }),
    )
  })
})
