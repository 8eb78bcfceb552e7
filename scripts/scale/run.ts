/**
 * `npm run scale`: the product's own decisions about copies for a hundred, ten thousand and a million nodes through a virtual year.
 * Prints a table, and writes docs/scale.md and docs/scale.svg where nothing was set otherwise; `--json` for programs.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { defaultConfig } from '../../daemon/config.ts'
import { readOptions, type ScaleOptions } from './options.ts'
import { page } from './page.ts'
import { plot } from './plot.ts'
import { headOf, rowsOf, textTable } from './rows.ts'
import { measureAll } from './together.ts'
import { countWriteRequests } from './write-requests.ts'

const { hosting } = defaultConfig({ XDG_STATE_HOME: '/' })
/** Each needs up to 1.5 GB for a million nodes. */
const atOnceMax = 2

const options = readOptions(process.argv.slice(2), hosting.firstLeaseBytes)
if (options === undefined) process.exitCode = 2
else await run(options)

async function run({ sizes, profiles, json, write, ...shared }: ScaleOptions): Promise<void> {
  const startMs = performance.now()
  const asked = profiles.flatMap((profile) => sizes.map((nodes) => ({ ...shared, nodes, profile })))
  const atOnce = Math.min(atOnceMax, availableParallelism())
  const runs = await measureAll(asked, atOnce, ({ nodes, profile, realS, counts }) => {
    process.stderr.write(`${profile}, ${nodes} nodes: ${counts.sessions} times on or off, ${realS} s\n`)
  })
  const writes = await countWriteRequests(hosting, shared.seed)
  const realS = Number(((performance.now() - startMs) / 1_000).toFixed(1))
  const { days, seed, leaveShare, shardBytes } = shared
  if (json) {
    process.stdout.write(`${JSON.stringify({ days, seed, leaveShare, shardBytes, writes, runs, realS })}\n`)
  } else {
    const { sessions, latencies } = runs[0]?.sources ?? { sessions: '', latencies: '' }
    process.stdout.write(`Measured (and by the formula). Sessions: ${sessions}; latencies: ${latencies}.\n`)
    for (const profile of profiles) {
      const own = runs.filter((one) => one.profile === profile.name)
      const table = textTable(rowsOf(own, writes, hosting.copies), own.map(headOf))
      process.stdout.write(
        `\n${profile.name}: ${profile.says}; on for ${profile.availability * 100} % of the time\n${table}\n`,
      )
    }
    process.stdout.write(`\n${days} virtual days in ${realS} s\n`)
  }
  if (!write) return
  const docs = resolve(import.meta.dirname, '../../docs')
  mkdirSync(docs, { recursive: true })
  writeFileSync(resolve(docs, 'scale.svg'), plot(runs))
  writeFileSync(
    resolve(docs, 'scale.md'),
    page({ runs, profiles, writes, hosting, leaveShare, shardBytes, days, seed }),
  )
}
