/**
 * `npm run soak [-- --minutes N] [--per-second N] [--svg FILE] [--json]`: two real boxes with one person's shard, written and read at a
 * steady pace; memory, descriptors and disk of both are plotted. Exits 1 when an answer was wrong or a box fell over.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { Box } from '../crash/box.ts'
import { moveIn } from '../crash/crashes.ts'
import { createSimPerson } from '../sim/writer.ts'
import { until } from '../support/until.ts'
import { sparkline, svg, type Curve } from './plot.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    'per-second': { type: 'string', default: '20' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [minutes, perSecond] = [values.minutes, values['per-second']].map(Number) as [number, number]
if (!(minutes > 0 && minutes < 1e5 && perSecond > 0 && perSecond <= 1_000)) {
  process.stderr.write('Usage: npm run soak [-- --minutes N] [--per-second N] [--svg FILE] [--json]\n')
  process.exit(2)
}
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const folder = mkdtempSync(join(tmpdir(), 'onehop-soak-'))
try {
  await soak()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function soak(): Promise<void> {
  const crypto = await loadCrypto()
  await using stack = new AsyncDisposableStack()
  const home = await Box.make(folder, 0)
  stack.defer(() => home.end('SIGKILL'))
  await home.start()
  const other = await Box.make(folder, 1, home)
  stack.defer(() => other.end('SIGKILL'))
  await other.start()
  const boxes = [home, other]
  await until(
    async () => (await home.call('admin.status', { limit: 10 })).peers.some(({ connected }) => connected),
    30_000,
  )
  const person = createSimPerson(crypto)
  await moveIn(home, person, 1)
  const [writer] = person.writers
  if (writer === undefined) throw new Error('a person has a device')

  // The copy asks for the schema once a record names it.
  const first = writer.sign('posts', new Uint8Array(0), 'put', { text: 'first' }, Date.now())
  await home.call('record.put', { records: [first.bytes] })
  const request = { schema: microblog.hash }
  await until(
    () =>
      other.call('schema.get', request).then(
        () => true,
        () => false,
      ),
    30_000,
  )

  const curves = boxes.map(() => ({
    memoryMb: [] as number[],
    descriptors: [] as number[],
    diskMb: [] as number[],
  }))
  const [writeMs, readMs]: [number[], number[]] = [[], []]
  const problems: string[] = []
  let writes = 0
  const startMs = performance.now()
  let nextSampleMs = startMs
  while (performance.now() - startMs < minutes * 60_000) {
    const turn = performance.now()
    const box = boxes[writes % 2] as Box
    try {
      const { record, bytes } = writer.sign(
        'posts',
        new Uint8Array(0),
        'put',
        { text: 'x'.repeat(300) },
        Date.now(),
      )
      const { results } = await box.call('record.put', { records: [bytes] })
      writes++
      writeMs.push(performance.now() - turn)
      if (results[0]?.outcome === 'refused') problems.push(`write ${writes}: ${results[0].message}`)
      const place = { owner: person.owner, app: microblog.id, collection: 'posts' }
      const readStartMs = performance.now()
      const { records } = await box.call('record.list', { ...place, limit: 20 })
      readMs.push(performance.now() - readStartMs)
      const ids = records.map((one) => toHex(decodeRecord(crypto, one).id))
      if (!ids.includes(toHex(record.id)))
        problems.push(`write ${writes} is not among the newest where it was written`)
    } catch (error) {
      problems.push(`write ${writes}: ${asOnehopError(error).message}`)
    }
    if (performance.now() >= nextSampleMs) {
      nextSampleMs += Math.max(1_000, (minutes * 60_000) / 2_000)
      for (const [i, one] of boxes.entries()) {
        const { memoryMb, descriptors, diskMb } = curves[i] as (typeof curves)[number]
        memoryMb.push(rssMb(one.pid))
        descriptors.push(readdirSync(`/proc/${one.pid}/fd`).length)
        diskMb.push(folderBytes(one.state) / 2 ** 20)
      }
    }
    await sleep(Math.max(0, 1_000 / perSecond - (performance.now() - turn)))
  }

  const shown: Curve[] = curves.flatMap(({ memoryMb, descriptors, diskMb }, i) => [
    { name: `memory of ${i === 0 ? 'the home' : 'the copy'}`, unit: 'MB', values: memoryMb },
    { name: `descriptors of ${i === 0 ? 'the home' : 'the copy'}`, unit: '', values: descriptors },
    { name: `disk of ${i === 0 ? 'the home' : 'the copy'}`, unit: 'MB', values: diskMb },
  ])
  for (const curve of shown)
    say(`${curve.name.padEnd(26)} ${sparkline(curve)} ${curve.values.at(-1)?.toFixed(0)} ${curve.unit}`)
  if (values.svg !== undefined) writeFileSync(values.svg, svg('Two boxes, one shard', minutes, shown))
  for (const problem of problems.slice(0, 20)) say(problem)
  const summary = {
    minutes,
    writes,
    problems: problems.length,
    writeP50Ms: share(writeMs, 0.5),
    writeP99Ms: share(writeMs, 0.99),
    readP50Ms: share(readMs, 0.5),
    readP99Ms: share(readMs, 0.99),
    memoryMb: curves.map(({ memoryMb }) => ({
      afterATenth: at(memoryMb, 0.1),
      last: at(memoryMb, 1),
      most: Math.max(...memoryMb),
    })),
    descriptors: curves.map(({ descriptors }) => ({
      afterATenth: at(descriptors, 0.1),
      last: at(descriptors, 1),
    })),
    diskMb: curves.map(({ diskMb }) => at(diskMb, 1)),
  }
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  else say(`${writes} records in ${minutes} minutes, ${problems.length} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

function folderBytes(path: string): number {
  let bytes = 0
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    // LevelDB removes files while we look.
    const found = entry.isFile()
      ? statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
      : undefined
    bytes += found?.size ?? 0
  }
  return bytes
}

function at(list: readonly number[], share: number): number {
  return Math.round((list[Math.min(list.length - 1, Math.floor(list.length * share))] ?? 0) * 10) / 10
}

function share(list: number[], part: number): number {
  const sorted = list.toSorted((a, b) => a - b)
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 100) / 100
}
