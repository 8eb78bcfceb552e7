import { parseArgs } from 'node:util'
import { profiles, type Profile } from './profile.ts'

export interface ScaleOptions {
  readonly sizes: readonly number[]
  readonly days: number
  readonly seed: number
  readonly profiles: readonly Profile[]
  /** A file of session lengths in place of the data set's: seconds, one a line. */
  readonly sessions: string | undefined
  /** Lost for good in a year, of all nodes. */
  readonly leaveShare: number
  readonly shardBytes: number
  /** Shards that are watched, at most. */
  readonly watch: number | undefined
  readonly json: boolean
  /** Whether docs/ is written anew. */
  readonly write: boolean
}

const usage = `Usage: npm run scale -- [--nodes N]... [--days D] [--seed S] [--profile home|streaming]
  [--availability 0.95] [--sessions FILE] [--leave 0.2] [--shard-mb 64] [--watch N] [--json] [--no-write]
`

/** The whole table of docs/ is written when nothing of it was changed. Undefined, and said why, where it cannot be read. */
export function readOptions(args: readonly string[], firstLeaseBytes: number): ScaleOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        nodes: { type: 'string', multiple: true },
        days: { type: 'string' },
        seed: { type: 'string' },
        profile: { type: 'string' },
        availability: { type: 'string' },
        sessions: { type: 'string' },
        leave: { type: 'string' },
        'shard-mb': { type: 'string' },
        watch: { type: 'string' },
        json: { type: 'boolean', default: false },
        'no-write': { type: 'boolean', default: false },
      },
    })
    const changed = Object.keys(values).filter((name) => name !== 'json' && name !== 'no-write')
    const named = profiles.filter(({ name }) => name === (values.profile ?? name))
    if (named.length === 0)
      throw new Error(`--profile is one of ${profiles.map(({ name }) => name).join(', ')}`)
    const given = within(values.availability, 'availability', 0.01, 0.999)
    const megabytes = within(values['shard-mb'], 'shard-mb', 0.001, 1e6)
    return {
      sizes: (values.nodes ?? ['100', '10000', '1000000']).map((text) => whole(text, 'nodes', 10, 2_000_000)),
      days: whole(values.days ?? '365', 'days', 1, 3_650),
      seed: whole(values.seed ?? '1', 'seed', 0, 2 ** 31),
      profiles: named.map((one) => (given === undefined ? one : { ...one, availability: given })),
      sessions: values.sessions,
      leaveShare: within(values.leave, 'leave', 0, 0.99) ?? 0.2,
      shardBytes: megabytes === undefined ? firstLeaseBytes : megabytes * 2 ** 20,
      watch: values.watch === undefined ? undefined : whole(values.watch, 'watch', 1, 1e6),
      json: values.json,
      write: changed.length === 0 && !values['no-write'],
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`)
    return undefined
  }
}

function whole(text: string, name: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new Error(`--${name} needs a whole number from ${least} to ${most}, not ${text}`)
}

function within(text: string | undefined, name: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`--${name} needs a number from ${least} to ${most}, not ${text}`)
}
