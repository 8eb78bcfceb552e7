import { Worker } from 'node:worker_threads'
import type { DiskContents, DiskTask, ShardOnDisk } from '../model/disk-reader.ts'
import type { Phase, Trial } from '../trial.ts'
import { inParallel } from '../waiting.ts'
import { answerOf } from '../worker-answer.ts'

const readersAtOnce = 2

/** All nodes end; then their disks are opened: are copies equal, id by id, and is any private word in the open? */
export const disks: Phase = {
  name: 'disks',
  async run(trial: Trial) {
    const { processes, ledger, notes, figures, progress } = trial
    const alive = new Set(processes.running.map(({ id }) => id))
    const late = await processes.stopAll()
    if (late.length > 0) throw new Error(`did not end when asked: ${late.join(', ')}`)
    // What every disk must show, or the search for words finds nothing because it cannot find.
    const control = ledger.people.map(({ number }) => ledger.entriesOf(number, 'posts')[0]).find(Boolean)
    const publicText = String(control?.value['title'])
    const shards = new Shards()
    let plaintextFound = 0
    let publicTextFound = false
    await inParallel(processes.nodes, readersAtOnce, async ({ id, state }) => {
      const disk = await readDisk({ state, texts: [...notes, publicText] })
      if (alive.has(id)) shards.take(id, disk.shards)
      if (disk.found.includes(publicText)) publicTextFound = true
      plaintextFound += disk.found.filter((text) => text !== publicText).length
    })
    const { mismatches, compared } = shards.compare(alive)
    progress.say(`${compared} shards compared on the disks of ${alive.size} nodes, ${mismatches} differ`)
    figures.replicaMismatches = mismatches
    figures.privacy = { privateRecords: notes.length, plaintextFound, publicTextFound }
  },
}

async function readDisk(workerData: DiskTask): Promise<DiskContents> {
  const reader = new Worker(new URL('../model/disk-reader.ts', import.meta.url), { workerData })
  return (await answerOf(reader)) as DiskContents
}

/** What each node's disk says of each shard: who holds it, by the newest set known anywhere, and which records are there. */
class Shards {
  readonly #newest = new Map<string, NonNullable<ShardOnDisk['set']>>()
  readonly #held = new Map<string, Map<string, string>>()

  take(node: string, shards: readonly ShardOnDisk[]): void {
    for (const { name, set, records } of shards) {
      const known = this.#newest.get(name)
      const isNewer =
        set !== undefined &&
        (known === undefined ||
          set.epoch > known.epoch ||
          (set.epoch === known.epoch && set.step > known.step))
      if (isNewer) this.#newest.set(name, set)
      const held = this.#held.get(name) ?? new Map<string, string>()
      this.#held.set(name, held.set(node, records))
    }
  }

  /** Shards that two living holders do not have alike. */
  compare(alive: ReadonlySet<string>): { mismatches: number; compared: number } {
    let mismatches = 0
    for (const [name, { members }] of this.#newest) {
      const copies = members
        .filter((id) => alive.has(id))
        .map((id) => this.#held.get(name)?.get(id) ?? 'nothing')
      if (new Set(copies).size > 1) mismatches++
    }
    return { mismatches, compared: this.#newest.size }
  }
}
