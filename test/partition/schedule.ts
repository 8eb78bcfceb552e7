/** What a seed does to the cables between some boxes, and when. Pure: the same seed, the same schedule. */
import { createDraw, type Draw } from '../sim/draw.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

/** What one box's cable does to it. */
export interface Hearing {
  /** Boxes of which nothing arrives here. */
  readonly deafTo: readonly number[]
  /** Boxes to which it is told at once that there is no way; silence otherwise. */
  readonly refusedBy: readonly number[]
  /** Of the packets that arrive, so many in a hundred do not. */
  readonly lossPercent: number
  /** What it sends waits in a queue that empties so slowly. */
  readonly kbitPerS: number | undefined
}

const cutKinds = ['split', 'deaf', 'alone', 'flapping'] as const
const weatherKinds = ['loss', 'thin'] as const

interface Cut {
  readonly kind: (typeof cutKinds)[number]
  readonly one: readonly number[]
  readonly other: readonly number[]
  readonly isRefused: boolean
  /** Of flapping: so long down, so long up. */
  readonly flapMs: number
}

interface Weather {
  readonly kind: (typeof weatherKinds)[number]
  readonly boxes: readonly number[]
  /** Percent lost, or kilobits a second. */
  readonly strength: number
}

export type Fault = (Cut | Weather) & { readonly fromMs: number; readonly untilMs: number }

export interface Schedule {
  readonly seed: number
  /** Whoever is away for some seconds loses the seat, and a standby takes it. */
  readonly isImpatient: boolean
  readonly faults: readonly Fault[]
}

/** The impatient one is longer than it takes to lose a seat (`replaceAfterMs` of such a world). */
const lastingMs = { patient: [4_000, 7_000], impatient: [7_500, 9_500] } as const

/** One cut lasts to the end, so that nothing which is written later carries along what was written while apart. */
export function drawSchedule(seed: number, boxes: number): Schedule {
  const draw = createDraw(createSeededRandom(seed))
  const isImpatient = draw.chance(1 / 3)
  const [lasting, other] = draw.shuffled(isImpatient ? (['split', 'alone'] as const) : cutKinds)
  const fromMs = draw.between(0, 1_500)
  const [leastMs, mostMs] = lastingMs[isImpatient ? 'impatient' : 'patient']
  const untilMs = fromMs + draw.between(leastMs, mostMs)
  const passing = [other ?? 'split', draw.pick(weatherKinds)].map((kind) => {
    const beginsMs = draw.between(0, untilMs / 2)
    return drawFault(draw, kind, boxes, beginsMs, beginsMs + draw.between(1_500, untilMs / 2))
  })
  return {
    seed,
    isImpatient,
    faults: [drawFault(draw, lasting ?? 'split', boxes, fromMs, untilMs), ...passing],
  }
}

/** When something changes, ascending; at the last everything is whole. */
export function momentsOf({ faults }: Schedule): number[] {
  const moments = new Set<number>()
  for (const fault of faults) {
    moments.add(fault.fromMs).add(fault.untilMs)
    if (fault.kind !== 'flapping') continue
    for (let ms = fault.fromMs; ms < fault.untilMs; ms += fault.flapMs) moments.add(ms)
  }
  return [...moments].toSorted((a, b) => a - b)
}

export function hearingAt({ faults }: Schedule, box: number, ms: number): Hearing {
  const acting = faults.filter((fault) => fault.fromMs <= ms && ms < fault.untilMs)
  const deafTo = new Set<number>()
  const refusedBy = new Set<number>()
  let lossPercent = 0
  let kbitPerS: number | undefined
  for (const fault of acting) {
    if (isCut(fault)) {
      if (fault.kind === 'flapping' && Math.floor((ms - fault.fromMs) / fault.flapMs) % 2 === 1) continue
      for (const far of farFrom(fault, box)) {
        deafTo.add(far)
        if (fault.isRefused) refusedBy.add(far)
      }
    } else if (fault.boxes.includes(box)) {
      if (fault.kind === 'loss') lossPercent = Math.max(lossPercent, fault.strength)
      else kbitPerS = Math.min(kbitPerS ?? Infinity, fault.strength)
    }
  }
  return { deafTo: sorted(deafTo), refusedBy: sorted(refusedBy), lossPercent, kbitPerS }
}

export function tellFault(fault: Fault): string {
  const when = `${(fault.fromMs / 1_000).toFixed(1)}-${(fault.untilMs / 1_000).toFixed(1)} s`
  if (!isCut(fault)) {
    const what = fault.kind === 'loss' ? '% lost' : ' kbit/s'
    return `${fault.strength}${what} at ${fault.boxes.join()} ${when}`
  }
  const sides = `${fault.one.join()}${fault.kind === 'deaf' ? ' deaf to ' : '|'}${fault.other.join()}`
  return `${fault.kind} ${sides}${fault.isRefused ? ' refused' : ''} ${when}`
}

function drawFault(draw: Draw, kind: Fault['kind'], boxes: number, fromMs: number, untilMs: number): Fault {
  const order = draw.shuffled(Array.from({ length: boxes }, (_, i) => i))
  const when = { fromMs: Math.round(fromMs), untilMs: Math.round(untilMs) }
  const sides = (at: number) => ({ one: sorted(order.slice(0, at)), other: sorted(order.slice(at)) })
  const somewhere = Math.floor(draw.between(1, boxes))
  const cut = { isRefused: draw.chance(0.5), flapMs: Math.round(draw.between(300, 900)) }
  switch (kind) {
    case 'split':
    case 'flapping':
      return { kind, ...sides(somewhere), ...cut, ...when }
    case 'alone':
      return { kind, ...sides(1), ...cut, ...when }
    case 'deaf':
      return { kind, ...sides(somewhere), ...cut, isRefused: false, ...when }
    case 'loss':
      return { kind, boxes: sides(somewhere).one, strength: Math.round(draw.between(5, 30)), ...when }
    case 'thin':
      return { kind, boxes: sides(somewhere).one, strength: Math.round(draw.between(64, 512)), ...when }
  }
}

function isCut(fault: Fault): fault is Fault & Cut {
  return 'one' in fault
}

/** Whom the box does not hear by this cut. One that is deaf still talks. */
function farFrom({ kind, one, other }: Cut, box: number): readonly number[] {
  if (one.includes(box)) return other
  return kind === 'deaf' ? [] : one
}

function sorted(boxes: Iterable<number>): number[] {
  return [...boxes].toSorted((a, b) => a - b)
}
