/**
 * Two real boxes with one person's shard, written at by apps while either or both are killed without warning. After each
 * kill the box starts again, and what it had acknowledged must be there.
 */
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { compareVersions } from '../../protocol/record/merge.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { createDraw } from '../sim/draw.ts'
import { History, type Issued } from '../sim/history.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { Lane } from '../support/lane.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/until.ts'
import { Box } from './box.ts'

export interface CrashOptions {
  readonly folder: string
  readonly cycles: number
  readonly seed: number
  readonly note: (line: string) => void
}

export interface CrashResult {
  readonly cycles: number
  readonly acknowledged: number
  /** Acknowledged by a box, and not there when it had started again; or shown older than that. */
  readonly lost: readonly string[]
  /** From the start of a killed box until it answered, the slowest. */
  readonly slowestStartS: number
}

const statusAtOnce = 500
/** Of what is older than this cycle so many are looked for after each kill, and all of it at the end. */
const olderAtOnce = 1_000
const equalWithinMs = 120_000
const fillMs = 60_000

export async function crash({ folder, cycles, seed, note }: CrashOptions): Promise<CrashResult> {
  const crypto = await loadCrypto()
  const draw = createDraw(createSeededRandom(seed))
  await using stack = new AsyncDisposableStack()
  const home = await Box.make(folder, 0)
  stack.defer(() => home.end('SIGKILL'))
  await home.start()
  const other = await Box.make(folder, 1, home)
  stack.defer(() => other.end('SIGKILL'))
  await other.start()
  const boxes = [home, other]
  const person = createSimPerson(crypto)
  await until(
    async () => (await home.call('admin.status', { limit: 10 })).peers.some(({ connected }) => connected),
    30_000,
  )
  await moveIn(home, person, 1)

  const history = new History()
  const shard = toHex(person.owner)
  const lost: string[] = []
  let slowestStartS = 0
  const acknowledgedBy = (box: Box): Issued[] => {
    const index = boxes.indexOf(box)
    return history.of(shard).filter((one) => one.acknowledgedBy.has(index))
  }

  /** Every one of these is on the box's disk. */
  const check = async (box: Box, wanted: readonly Issued[]): Promise<void> => {
    for (let start = 0; start < wanted.length; start += statusAtOnce) {
      const some = wanted.slice(start, start + statusAtOnce)
      const ids = some.map(({ name }) => fromHex(name, 32) as Uint8Array)
      const { copies } = await box.call('record.status', { owner: person.owner, ids })
      for (const [i, count] of copies.entries())
        if (count < 1) lost.push(`box ${boxes.indexOf(box)}: ${some[i]?.name} is gone`)
    }
  }
  /** What these items show is at least as new as what the box acknowledged. */
  const checkShown = async (box: Box, wanted: readonly Issued[]): Promise<void> => {
    for (const { item, collection, key } of wanted) {
      const [best] = acknowledgedBy(box)
        .filter((one) => one.item === item)
        .toSorted((a, b) => compareVersions(b.record, a.record))
      const request = { owner: person.owner, app: microblog.id, collection, keys: [key] }
      let records: readonly (Uint8Array | null)[] = []
      // Whoever was killed while it was filled goes on being filled, and shows nothing until it has everything.
      await until(async () => {
        try {
          records = (await box.call('record.get', request)).records
          return true
        } catch (error) {
          if (asOnehopError(error).code !== 'LAGGING') throw error
          return false
        }
      }, fillMs)
      const shown = records[0] ? decodeRecord(crypto, records[0]) : undefined
      if (best !== undefined && (shown === undefined || compareVersions(shown, best.record) < 0))
        lost.push(`box ${boxes.indexOf(box)}: ${item} shows ${shown && toHex(shown.id)}, not ${best.name}`)
    }
  }

  for (let cycle = 1; cycle <= cycles; cycle++) {
    const before = history.of(shard).length
    const victims = draw.chance(0.2) ? boxes : [draw.pick(boxes)]
    const writers = person.writers.map(
      (writer, i) =>
        new Lane(boxes, writer, history, createDraw(createSeededRandom(seed * 1e6 + cycle * 10 + i))),
    )
    const writing = writers.map((lane) => lane.run())
    await new Promise((resolve) => setTimeout(resolve, draw.between(30, 1_200)))
    await Promise.all(victims.map((box) => box.end('SIGKILL')))
    for (const lane of writers) lane.stop()
    await Promise.all(writing)
    for (const box of victims) {
      slowestStartS = Math.max(slowestStartS, await box.start())
      const all = acknowledgedBy(box)
      const recent = new Set(history.of(shard).slice(before))
      const older = draw.shuffled(all.filter((one) => !recent.has(one))).slice(0, olderAtOnce)
      await check(box, [...all.filter((one) => recent.has(one)), ...older])
      await checkShown(box, draw.shuffled(all).slice(0, 30))
    }
    if (cycle % 10 === 0 || cycle === cycles)
      note(`${cycle} of ${cycles} kills, ${acknowledged(history, shard)} acknowledged, ${lost.length} lost`)
  }

  for (const box of boxes) {
    await check(box, acknowledgedBy(box))
    // What either acknowledged both have in the end.
    const elsewhere = history.of(shard).filter(({ acknowledgedBy: by }) => by.size > 0)
    const names = elsewhere.map(({ name }) => fromHex(name, 32) as Uint8Array)
    await until(async () => {
      for (let start = 0; start < names.length; start += statusAtOnce) {
        const ids = names.slice(start, start + statusAtOnce)
        const { copies } = await box.call('record.status', { owner: person.owner, ids })
        if (copies.some((count) => count < 1)) return false
      }
      return true
    }, equalWithinMs).catch(() =>
      lost.push(`box ${boxes.indexOf(box)} never had what the other acknowledged`),
    )
  }
  return { cycles, acknowledged: acknowledged(history, shard), lost, slowestStartS }
}

function acknowledged(history: History, shard: string): number {
  return history.of(shard).filter(({ acknowledgedBy }) => acknowledgedBy.size > 0).length
}

/** `copies` beside the home. */
export async function moveIn(
  home: Pick<Box, 'call'>,
  { log, owner, owning }: SimPerson,
  copies: number,
): Promise<void> {
  const crypto = await loadCrypto()
  await home.call('schema.put', { schema: microblog.bytes })
  await home.call('admin.host.add', { hosts: [{ log }] })
  const { proposals } = await home.call('placement.propose', { owners: [owner], copies })
  const unsigned = proposals[0]?.unsigned as Uint8Array
  const replicaSets = [packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, owning.seed)])]
  const { results } = await home.call('placement.commit', { replicaSets })
  if (results[0]?.members.length !== copies + 1) throw new Error('the shard has other holders than it should')
}
