import { toHex } from '../../protocol/bytes.ts'
import { systemClock } from '../../daemon/clock.ts'
import { checkHealed, checkSealed } from './checks.ts'
import { Clients } from './clients.ts'
import { demandAll } from './demands.ts'
import { Faults, type FaultKind } from './faults.ts'
import { Forgers, type Forgery } from './forgers.ts'
import { FalseSteps } from './false-steps.ts'
import { fillSeats } from './owners.ts'
import { longPace, shortPace } from './pace.ts'
import { Wholeness } from './wholeness.ts'
import { createWorld, pass, type World } from './world.ts'

export interface SimOptions {
  readonly seed: number
  /** Of faults and writes; healing comes on top. */
  readonly virtualS?: number
  /** So many days instead, of which most of the time is skipped. */
  readonly days?: number | undefined
  readonly keepTrace?: boolean
  /** The first thing that is wrong ends the story: for those who only want to know whether. */
  readonly endAtFirst?: boolean
}

export interface SimResult {
  readonly seed: number
  readonly failures: readonly string[]
  /** Hash of everything that happened: the same for the same seed. */
  readonly trace: string
  readonly events: number
  readonly operations: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly forgeries: Readonly<Record<Forgery, number>>
  /** From the heal until every check passed. */
  readonly healedS: number
  readonly virtualS: number
  readonly realS: number
  readonly lines: readonly string[]
}

/** Records may be dated a minute and a half beyond what others take yet; then come joiners and repairs. */
const healLimitMs = 300_000
/** Members mend what they can by themselves; then people open their apps. */
const appsOpenMs = 60_000

/**
 * One seed, one story: first safety under faults, then everything is mended and progress is demanded.
 */
export async function simulate({
  seed,
  virtualS = 60,
  days,
  keepTrace = false,
  endAtFirst = false,
}: SimOptions): Promise<SimResult> {
  const startedMs = systemClock.monotonicMs()
  const world = await createWorld(seed, days === undefined ? shortPace : longPace, keepTrace)
  const { mesh, draw, pace, trace, failures } = world
  const agenda: { readonly atMs: number; readonly order: number; readonly action: () => Promise<void> }[] = []
  let order = 0
  const later = (delayMs: number, action: () => Promise<void>): void => {
    agenda.push({ atMs: mesh.clock.monotonicMs() + delayMs, order: order++, action })
    agenda.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
  }
  const faults = new Faults(world, later)
  const clients = new Clients(world, (node) => mesh.clock.nowMs() + faults.believedSkewOf(node.index), later)
  const again = (everyMs: number, action: () => Promise<void>): void =>
    later(draw.between(0, 2 * everyMs), async () => {
      await action()
      again(everyMs, action)
    })
  again(pace.operationEveryMs, async () => clients.act())
  const forgers = new Forgers(
    world,
    (node) => mesh.clock.nowMs() + faults.skewOf(node.index),
    ({ index }) => faults.skewOf(index) !== faults.believedSkewOf(index),
  )
  again(pace.forgeEveryMs, async () => forgers.act())
  const wholeness = new Wholeness(world)
  again(pace.wholeEveryMs, () => mesh.wait(wholeness.look()))
  const falseSteps = new FalseSteps(world)
  again(pace.falseStepEveryMs, async () => falseSteps.act())
  again(pace.faultEveryMs, () => faults.strike())

  const endMs = mesh.clock.monotonicMs() + (days === undefined ? virtualS * 1_000 : days * 86_400_000)
  const isOver = (): boolean => endAtFirst && failures.length > 0
  for (
    let next = agenda.shift();
    next !== undefined && next.atMs < endMs && !isOver();
    next = agenda.shift()
  ) {
    await pass(mesh.clock, pace, Math.max(0, next.atMs - mesh.clock.monotonicMs()))
    await next.action()
  }

  await faults.heal()
  const healedMs = mesh.clock.monotonicMs()
  let problems = isOver() ? [] : await mesh.wait(checkHealed(world))
  while (problems.length > 0 && mesh.clock.monotonicMs() - healedMs < healLimitMs * pace.scale) {
    await pass(mesh.clock, pace, 5_000 * pace.scale)
    if (mesh.clock.monotonicMs() - healedMs >= appsOpenMs * pace.scale) await mesh.wait(fillSeats(world))
    problems = await mesh.wait(checkHealed(world))
  }
  const healedS = (mesh.clock.monotonicMs() - healedMs) / 1_000
  failures.push(...problems, ...(problems.length === 0 && !isOver() ? await demandAll(world) : []))
  failures.push(...(await checkSealed(world)))
  await noteStores(world)
  await mesh[Symbol.asyncDispose]()
  return {
    seed,
    failures,
    trace: trace.digest(),
    events: trace.events,
    operations: clients.counts,
    faults: faults.counts,
    forgeries: forgers.counts,
    healedS,
    virtualS: mesh.clock.monotonicMs() / 1_000,
    realS: (systemClock.monotonicMs() - startedMs) / 1_000,
    lines: trace.lines,
  }
}

/** What lies on every disk is part of the trace. */
async function noteStores({ mesh, people, trace }: World): Promise<void> {
  for (const { index, store } of mesh.nodes) {
    for (const { owner } of people) {
      const refs = await store.records.log(owner, 0, 10_000)
      trace.add(`disk ${index} ${toHex(owner)} ${refs.map(({ ref }) => toHex(ref.id)).join(' ')}`)
    }
  }
}
