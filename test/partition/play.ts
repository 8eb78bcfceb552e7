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
    await using world = await openWorld(own, schedule.isImpatient, signal)
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
    const writing = Promise.all(lanes.map((lane) => lane.run()))
    try {
      await Promise.race([act(schedule, world, signal), writing])
    } finally {
      for (const lane of lanes) lane.stop()
      await writing
    }
    const watch = { world, findings, signal }
    const healS = await untilSeen(watch, 'equal after healing', healsWithinMs, ({ differs }) => differs)
    if (healS !== undefined) {
      // That they became equal once does not say that what comes now still goes everywhere.
      for (const box of boxes) await lanes[0]?.write(box.app)
      const settled = ({ differs, miscounts }: Seen): string | undefined => differs ?? miscounts
      await untilSeen(watch, 'equal when written to afterwards', spreadsWithinMs, settled)
    }
    await checkShown(world, await see(world), findings)
    await Promise.all(boxes.map((box) => box.end('SIGTERM')))
    await checkDisks(world, findings)
    if (findings.all.length > 0) for (const { index, words } of boxes) onWords?.(index, words)
    return { acknowledged: history.acknowledged(toHex(person.owner)).length, findings, healS }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

/** Lets the schedule happen to the cables; in the end they are whole. */
async function act(schedule: Schedule, { boxes }: World, signal: AbortSignal): Promise<void> {
  const startMs = performance.now()
  for (const ms of momentsOf(schedule)) {
    await sleep(Math.max(0, startMs + ms - performance.now()), undefined, { signal })
    await Promise.all(boxes.map((box) => box.hear(hearingAt(schedule, box.index, ms))))
  }
  await Promise.all(boxes.map((box) => box.heal()))
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
