/** Since when somebody else may have had a device that is revoked. */
import type { Context, Flags } from './command.ts'
import { UsageError } from './failure.ts'

export const sinceOption = {
  type: 'string',
  value: 'TIME',
  help: 'what the device wrote from then on counts no more: 2026-11-20, "2026-11-20 14:00", 3h, 2d',
} as const

const unitsMs = { min: 60_000, h: 3_600_000, d: 86_400_000 } as const

export function readSince(flags: Flags, { clock }: Pick<Context, 'clock'>): number | undefined {
  const text = flags.text('since')
  return text === undefined ? undefined : readPointInTime(text, clock.nowMs())
}

/** `2026-11-20`, `2026-11-20 14:00` in this machine's time, or how long ago: `30min`, `5h`, `3d`. Unix milliseconds. */
export function readPointInTime(text: string, nowMs: number): number {
  const ago = /^(\d+) ?(min|h|d)$/.exec(text)
  const atMs =
    ago === null
      ? Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text.replace(' ', 'T'))
      : nowMs - Number(ago[1]) * unitsMs[ago[2] as keyof typeof unitsMs]
  if (atMs <= nowMs && (ago !== null || isDay(text.slice(0, 10)))) return atMs
  throw new UsageError(
    `a time is a day, a day and an hour, or how long ago, and not to come: not ${JSON.stringify(text)}`,
    'For instance 2026-11-20, "2026-11-20 14:00", 30min, 5h or 3d.',
  )
}

/** One that there is: 30 February would be read as a day in March. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const ms = Date.parse(`${text}T00:00Z`)
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text)
}
