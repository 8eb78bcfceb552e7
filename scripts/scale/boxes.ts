import type { Draw } from '../trial/data/draw.ts'
import type { Agenda } from './agenda.ts'
import { Box } from './box.ts'
import { events } from './events.ts'
import type { Population } from './population.ts'
import { yearMs, type Profile } from './profile.ts'
import type { Sessions } from './sessions.ts'

export interface Pace {
  readonly onMs: number
  readonly offMs: number
  /** Of one node, a millisecond. */
  readonly leaveRate: number
}

export function paceOf(profile: Profile, sessions: Sessions, leaveShare: number): Pace {
  const onMs = profile.onMs ?? sessions.meanMs
  const offMs = (onMs * (1 - profile.availability)) / profile.availability
  return { onMs, offMs, leaveRate: -Math.log(1 - leaveShare) / yearMs }
}

/** Lives of the nodes that are followed. Of the others, all that is asked is whether they are on just now. */
export class Boxes {
  readonly #population: Population
  readonly #agenda: Agenda
  readonly #draw: Draw
  readonly #sessions: Sessions
  readonly #pace: Pace
  readonly #all: Box[] = []
  readonly #bySlot: (Box | undefined)[]
  /** An operator leaves with all that it runs. */
  readonly #operatorLeavesMs = new Map<number, number>()

  constructor(population: Population, agenda: Agenda, draw: Draw, sessions: Sessions, pace: Pace) {
    this.#population = population
    this.#bySlot = Array.from({ length: population.size })
    this.#agenda = agenda
    this.#draw = draw
    this.#sessions = sessions
    this.#pace = pace
  }

  get followed(): number {
    return this.#all.length
  }

  at(index: number): Box {
    return this.#all[index] as Box
  }

  get(slot: number): Box | undefined {
    return this.#bySlot[slot]
  }

  isOn(slot: number): boolean {
    const { onMs, offMs } = this.#pace
    return this.#bySlot[slot]?.on ?? this.#draw.fraction() < onMs / (onMs + offMs)
  }

  /** Of one that was found to be on: followed from now, in the midst of a time on. */
  follow(slot: number): Box {
    const known = this.#bySlot[slot]
    if (known !== undefined) return known
    const { nowMs } = this.#agenda
    const box = new Box(this.#all.length, slot, this.#population.seat(slot), nowMs, this.#leavesMs(slot))
    this.#all.push(box)
    this.#bySlot[slot] = box
    box.untilMs = nowMs + this.#sessions.left(this.#draw) * this.#pace.onMs
    this.#agenda.add(box.untilMs, events.toggle, box.index)
    this.#agenda.add(box.leavesMs, events.leave, box.index)
    return box
  }

  toggle(box: Box): void {
    box.turn(this.#agenda.nowMs)
    box.untilMs =
      box.sinceMs + this.#sessions.draw(this.#draw) * (box.on ? this.#pace.onMs : this.#pace.offMs)
    this.#agenda.add(box.untilMs, events.toggle, box.index)
  }

  leave(box: Box): void {
    box.leave(this.#agenda.nowMs)
    this.#bySlot[box.slot] = undefined
    this.#population.leave(box.slot)
  }

  #leavesMs(slot: number): number {
    const { nowMs } = this.#agenda
    const drawn = nowMs - Math.log(1 - this.#draw.fraction()) / this.#pace.leaveRate
    const operator = this.#population.operatorOf(slot)
    if (operator === undefined) return drawn
    const known = this.#operatorLeavesMs.get(operator)
    if (known !== undefined && known > nowMs) return known
    this.#operatorLeavesMs.set(operator, drawn)
    return drawn
  }
}
