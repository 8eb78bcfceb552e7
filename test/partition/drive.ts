/** Plays schedules one after the other. Started by run.ts in a network of its own, as its root. */
import { openSwitch } from './box.ts'
import { play } from './play.ts'
import { drawSchedule, tellFault } from './schedule.ts'
import { boxCount } from './world.ts'

const [folder = '', ...figures] = process.argv.slice(2)
const [schedules, seed, json, trace] = figures.map(Number) as [number, number, number, number]
const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => ending.abort())

const note = (line: string): void => void process.stderr.write(`${line}\n`)
const totals = { schedules: 0, apart: 0, acknowledged: 0, lost: 0, revived: 0, unequal: 0 }
const heals: number[] = []
try {
  await openSwitch()
  for (let next = seed; next < seed + schedules; next++) await playOne(next)
  tell()
} catch (error) {
  if (!ending.signal.aborted) throw error
  note('ended before all schedules were played')
  process.exitCode = 130
}

async function playOne(next: number): Promise<void> {
  const schedule = drawSchedule(next, boxCount)
  const startMs = performance.now()
  const onWords = (box: number, words: string): void => note(`---- box ${box}\n${words}`)
  const { acknowledged, isApart, findings, healS } = await play(schedule, {
    folder,
    signal: ending.signal,
    ...(trace === 1 && { onWords }),
  })
  totals.schedules++
  if (isApart) totals.apart++
  totals.acknowledged += acknowledged
  totals.lost += findings.lost.size
  totals.revived += findings.revived.size
  totals.unequal += findings.unequal.length
  if (healS !== undefined) heals.push(healS)
  const isWell = findings.all.length === 0
  const apart = isApart ? 'apart, ' : ''
  const healed = healS === undefined ? 'not healed' : `${apart}healed in ${healS.toFixed(1)} s`
  const patience = schedule.isImpatient ? ', seats are lost' : ''
  const tookS = ((performance.now() - startMs) / 1_000).toFixed(1)
  note(
    `seed ${next} ${isWell ? 'ok' : 'FAILED'}: ${schedule.faults.map(tellFault).join('; ')}${patience}; ` +
      `${acknowledged} acknowledged, ${healed}, ${tookS} s`,
  )
  for (const line of findings.all.slice(0, 20)) note(`  ${line}`)
  if (!isWell) {
    process.exitCode = 1
    note(`  replay: npm run partition -- --schedules 1 --seed ${next}`)
  }
}

function tell(): void {
  const ascending = heals.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Number((ascending[Math.ceil(ascending.length * share) - 1] ?? Number.NaN).toFixed(2))
  const healS = heals.length === 0 ? null : { p50: at(0.5), max: at(1) }
  const { lost, revived, unequal, acknowledged } = totals
  const told = `${totals.schedules} schedules (${totals.apart} left holders apart), ${acknowledged} records acknowledged: ${lost} lost, ${revived} revived, ${unequal} unequal; healed in ${healS?.p50} s, at most ${healS?.max} s`
  process.stdout.write(`${json === 1 ? JSON.stringify({ ...totals, healS }) : told}\n`)
}
