/**
 * Whole exchanges of two sides that compare their records, from one seed each: sets and frames of any size, sets that grow
 * while they are compared, answers that nobody honest sends. `playExchange` throws when something comes about that must not.
 */
import { createHash } from 'node:crypto'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { clockInfinity } from '../../protocol/reconcile/bound.ts'
import { createInitiator, respond } from '../../protocol/reconcile/machine.ts'
import { reconcileLimits } from '../../protocol/reconcile/message.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import type { RecordRef } from '../../protocol/record/types.ts'
import { Draw } from '../../scripts/trial/data/draw.ts'

/** `moved`: what was found goes over before the next message, as nodes do it; `growing`: that, and both write meanwhile. */
export const kinds = ['steady', 'moved', 'growing', 'hostile'] as const
export type Kind = (typeof kinds)[number]

export interface Played {
  readonly seed: number
  readonly kind: Kind
  readonly rounds: number
  /** Items that only one side had. */
  readonly differences: number
  /** With which code a hostile exchange ended before its time. */
  readonly refused: string | undefined
}

const itemsMax = 5_000
const framesFrom = reconcileLimits.messageBytesMin
const framesTo = 64 * 1024
/** Then nothing more is written, and the exchange has to come to its end. */
const growingRounds = 12
/** One answer to a range takes no more: what did not fit may have left so much room. */
const roomMost = 1_400
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

class Side {
  readonly items = new Map<string, RecordRef>()
  readonly frameBytes: number
  #set: ReturnType<typeof reconcileVector> | undefined

  constructor(frameBytes: number) {
    this.frameBytes = frameBytes
  }

  get set(): ReturnType<typeof reconcileVector> {
    return (this.#set ??= reconcileVector(this.items.values(), sha256))
  }

  add(items: Iterable<RecordRef>): void {
    for (const one of items) this.items.set(toHex(one.id), one)
    this.#set = undefined
  }

  without(other: Side): string[] {
    return [...this.items.keys()].filter((id) => !other.items.has(id))
  }
}

export function playExchange(seed: number, kind: Kind = kinds[seed % kinds.length] as Kind): Played {
  const draw = new Draw(seed)
  const make = maker(draw)
  const frame = (): number => framesFrom + Math.floor((framesTo - framesFrom) * draw.fraction() ** 3)
  const [ours, theirs] = [new Side(frame()), new Side(frame())]
  const both = make(sizeOf(draw))
  ours.add([...both, ...make(draw.of([0, 1, draw.whole(200), sizeOf(draw)]))])
  theirs.add([...both, ...make(draw.of([0, 1, draw.whole(200), sizeOf(draw)]))])
  const expected = { have: ours.without(theirs), need: theirs.without(ours) }
  const differences = expected.have.length + expected.need.length

  const found = { have: new Set<string>(), need: new Set<string>() }
  const note = (into: Set<string>, ids: readonly string[], from: Side): void => {
    for (const id of ids) {
      // Of a frame that was full the rest is compared anew, with all of it that was found and not moved.
      if (kind !== 'hostile' && !(kind === 'steady' && isFull) && into.has(id))
        throw new Error(`${id} is listed twice`)
      if (kind !== 'hostile' && !from.items.has(id)) throw new Error(`${id} is nobody's`)
      into.add(id)
    }
  }
  let isFull = false
  const within = (message: Uint8Array, { frameBytes }: Side): void => {
    if (message.length > frameBytes) throw new Error(`${message.length} bytes in a frame of ${frameBytes}`)
    isFull ||= message.length > frameBytes - roomMost
  }
  const forge = forger(draw)
  const isLiar = draw.fraction() < 0.05
  const initiator = createInitiator({ messageBytes: ours.frameBytes })
  let rounds = 0
  let refused: string | undefined
  try {
    let message: Uint8Array | undefined = initiator.initiate(ours.set)
    while (message !== undefined) {
      within(message, ours)
      const asked = kind === 'hostile' ? forge(message, 0.1) : message
      const answer = respond(theirs.set, asked, { messageBytes: theirs.frameBytes })
      within(answer, theirs)
      const step = initiator.reconcile(
        ours.set,
        kind === 'hostile' ? forge(answer, isLiar ? 1 : 0.3) : answer,
      )
      rounds++
      const have = step.have.map(({ id }) => toHex(id))
      const need = step.need.map(toHex)
      note(found.have, have, ours)
      note(found.need, need, theirs)
      if (have.some((id) => !ours.items.has(id))) throw new Error('has what it has not')
      if (kind === 'moved' || kind === 'growing') {
        theirs.add(have.map((id) => ours.items.get(id) as RecordRef))
        ours.add(need.map((id) => theirs.items.get(id) as RecordRef))
        for (const side of [ours, theirs])
          if (kind === 'growing' && rounds < growingRounds) side.add(make(draw.tail(40)))
      }
      message = step.reply
      if (kind !== 'hostile' && rounds > roundsFor(ours, theirs))
        throw new Error(`${rounds} rounds and no end`)
      if (rounds > reconcileLimits.roundsMax) throw new Error('a liar is listened to without end')
    }
  } catch (error) {
    if (!(error instanceof OnehopError) || kind !== 'hostile') throw error
    refused = error.code
  }
  for (const side of ['have', 'need'] as const) {
    const isMissed = kind !== 'hostile' && expected[side].some((id) => !found[side].has(id))
    const isTooMuch = (kind === 'steady' || kind === 'moved') && found[side].size > expected[side].length
    if (isMissed || isTooMuch)
      throw new Error(`${side}: ${found[side].size} found of ${expected[side].length}`)
  }
  return { seed, kind, rounds, differences, refused }
}

/** The depth of the tree, and twice as many frames as all ids take in the smaller of the two. */
function roundsFor(ours: Side, theirs: Side): number {
  const ids = (ours.items.size + theirs.items.size) * 32
  return 12 + Math.ceil((2 * ids) / (Math.min(ours.frameBytes, theirs.frameBytes) - 400))
}

function sizeOf(draw: Draw): number {
  const most = draw.of([64, 600, itemsMax])
  return draw.of([0, 31 + draw.whole(3), draw.whole(most), draw.whole(most), draw.whole(most)])
}

/** Items of one world: its clocks are spread, or a few, or of one instant, or as large as any may be. */
function maker(draw: Draw): (count: number) => RecordRef[] {
  const bits = (count: number): bigint => BigInt(draw.whole(2 ** count))
  const last = clockInfinity - 1n
  const from = draw.of([0n, 2n ** 32n - 2n, 1_700_000_000_000n << 16n, 2n ** 63n, last - 1_000n])
  const clockOf = draw.of([
    () => (bits(32) << 32n) | bits(32),
    () => from + bits(2),
    () => from,
    () => from + (bits(6) << 34n) + bits(3),
    () => last - bits(2),
  ])
  let before = new Uint8Array(32)
  return (count) =>
    Array.from({ length: count }, () => {
      const id = Uint8Array.from({ length: 32 }, () => draw.whole(256))
      // Some differ from the one before at their end alone.
      if (draw.fraction() < 0.05) id.set(before.subarray(0, 29 + draw.whole(2)))
      before = id
      const clock = clockOf()
      return { clock: clock > last ? last : clock, id }
    })
}

/** What arrives in place of a message, of `share` of them. */
function forger(draw: Draw): (message: Uint8Array, share: number) => Uint8Array {
  const sent: Uint8Array[] = []
  return (message, share) => {
    sent.push(message)
    if (draw.fraction() >= share) return message
    const of = draw.of(sent)
    return draw.of([
      () => of,
      () => message.slice(0, draw.whole(message.length + 1)),
      () =>
        Uint8Array.of(
          ...message.subarray(0, draw.whole(message.length)),
          ...of.subarray(draw.whole(of.length)),
        ),
      () => Uint8Array.from(message, (byte) => (draw.fraction() < 0.02 ? draw.whole(256) : byte)),
      () => {
        const changed = message.slice()
        changed[draw.whole(changed.length)] = draw.of([0, 1, 2, 127, 128, 255, draw.whole(256)])
        return changed
      },
      () => Uint8Array.from({ length: draw.whole(300) }, (_, i) => (i === 0 ? 0x61 : draw.whole(256))),
      // All of it differs, again and again.
      () => Uint8Array.of(0x61, 0, 0, 1, ...Array.from({ length: 16 }, () => draw.whole(256))),
    ])()
  }
}
