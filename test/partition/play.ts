/**
 * One schedule: some boxes hold one person's shard, two devices write, edit and delete at whichever they reach while cables are
 * cut and heal; then all is whole, and what was acknowledged must be at every holder, shown alike, and nothing deleted.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toHex } from '../../protocol/bytes.ts'
import { createDraw } from '../sim/draw.ts'
import { Lane } from '../support/lane.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { checkDisks, checkShown, Findings, see, type Seen } from './check.ts'
import { hearingAt, momentsOf, type Schedule } from './schedule.ts'
import { openWorld, type World } from './world.ts'

export interface Played {
  readonly acknowledged: number
  /** Before the cables were whole again holders differed: a schedule that cuts nothing shows nothing. */
  readonly isApart: boolean
  readonly findings: Findings
  /** From the moment at which all cables were whole until all holders were equal; undefined where they never were. */
  readonly healS: number | undefined
}

export interface PlayOptions {
  readonly folder: string
  readonly signal: AbortSignal
  /** What nodes said last, where something was found wrong. */
  readonly onWords?: (box: number, words: string) => void
}

const healsWithinMs = 60_000
const spreadsWithinMs = 20_000
const pauseMsMax = 150
const lookEveryMs = 200

export async function play(schedule: Schedule, { folder, signal, onWords }: PlayOptions): Promise<Played> {
  const own = join(folder, `schedule-${schedule.seed}`)
  await mkdir(own)
  try {
    await using world = await openWorld({ ...schedule, folder: own, signal })
    const { boxes, person, history } = world
    const findings = new Findings()
    const lanes = person.writers.map((writer, i) => {
      const draw = createDraw(createSeededRandom(schedule.seed * 10 + i))
      return new Lane(
        boxes.map(({ app }) => app),
        writer,
        history,
        draw,
        pauseMsMax,
      )
    })
    const watch = { world, findings, signal }
    const differs = (seen: Seen): string | undefined => seen.differs
    // A holder that has not heard yet that it is one takes no writes.
    await lanes[0]?.write(boxes[0].app)
    await untilSeen(watch, 'equal before anything is cut', spreadsWithinMs, differs)
    const writing = Promise.all(lanes.map((lane) => lane.run()))
    try {
      await Promise.race([act(schedule, world, signal), writing])
    } finally {
      for (const lane of lanes) lane.stop()
      await writing
    }
    const isApart = (await see(world)).differs !== undefined
    await Promise.all(boxes.map((box) => box.heal()))
    const healS = await untilSeen(watch, 'equal after healing', healsWithinMs, differs)
    if (healS !== undefined) {
      // That they became equal once does not say that what comes now still goes everywhere.
      for (const box of boxes) await lanes[0]?.write(box.app)
      const wrong = (seen: Seen): string | undefined => seen.differs ?? seen.miscounts
      await untilSeen(watch, 'equal when written to afterwards', spreadsWithinMs, wrong)
    }
    await checkShown(world, await see(world), findings)
    await Promise.all(boxes.map((box) => box.end('SIGTERM')))
    await checkDisks(world, findings)
    if (findings.all.length > 0) for (const { index, words } of boxes) onWords?.(index, words)
    const acknowledged = history.acknowledged(toHex(person.owner)).length
    return { acknowledged, isApart, findings, healS }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

/** Lets the schedule happen to the cables, up to the moment at which they are to be whole. */
async function act(schedule: Schedule, { boxes }: World, signal: AbortSignal): Promise<void> {
  const startMs = performance.now()
  const moments = momentsOf(schedule)
  for (const ms of moments) {
    await sleep(Math.max(0, startMs + ms - performance.now()), undefined, { signal })
    if (ms === moments.at(-1)) return
    await Promise.all(boxes.map((box) => box.hear(hearingAt(schedule, box.index, ms))))
  }
}

interface Watch {
  readonly world: World
  readonly findings: Findings
  readonly signal: AbortSignal
}

/** Seconds until nothing is `wrong` any more. */
async function untilSeen(
  { world, findings, signal }: Watch,
  what: string,
  withinMs: number,
  wrong: (seen: Seen) => string | undefined,
): Promise<number | undefined> {
  const startMs = performance.now()
  for (;;) {
    const why = wrong(await see(world))
    const tookMs = performance.now() - startMs
    if (why === undefined) return tookMs / 1_000
    if (tookMs > withinMs) {
      findings.unequal.push(`not ${what} within ${withinMs / 1_000} s: ${why}`)
      return undefined
    }
    await sleep(lookEveryMs, undefined, { signal })
  }
}
