import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadCrypto } from '../../../cli/crypto.ts'
import { systemClock } from '../../../daemon/clock.ts'
import { Identities } from '../../../daemon/identities.ts'
import { ReplicaSets } from '../../../daemon/placement/replica-sets.ts'
import { statePaths } from '../../../daemon/state-folder.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { Kv } from '../../../storage/kv.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { openStore } from '../../../storage/store.ts'
import type { Store } from '../../../storage/types.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Phase, Trial } from '../trial.ts'

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
    for (const node of processes.nodes) {
      const words = new Words([...notes, publicText])
      await searchFiles(node.state, words)
      const kv = await openLevelKv(statePaths(node.state).store, { clock: systemClock })
      await searchStore(kv, words)
      const store = await openStore(kv, { clock: systemClock })
      if (alive.has(node.id)) await shards.take(node, store)
      await store.close()
      if (words.found.delete(publicText)) publicTextFound = true
      plaintextFound += words.found.size
    }
    const { mismatches, compared } = shards.compare(alive)
    progress.say(`${compared} shards compared on the disks of ${alive.size} nodes, ${mismatches} differ`)
    figures.replicaMismatches = mismatches
    figures.privacy = { privateRecords: notes.length, plaintextFound, publicTextFound }
  },
}

/** Looks for texts in bytes by their first eight letters, then the whole. */
class Words {
  readonly found = new Set<string>()
  readonly #texts: readonly string[]
  readonly #starts: readonly string[]

  constructor(texts: readonly string[]) {
    this.#texts = texts
    this.#starts = [...new Set(texts.map((text) => text.slice(0, 8)))]
  }

  look(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const start of this.#starts) {
      if (!buffer.includes(start)) continue
      for (const text of this.#texts) if (buffer.includes(text)) this.found.add(text)
    }
  }
}

async function searchFiles(folder: string, words: Words): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) words.look(await readFile(join(entry.parentPath, entry.name)))
  }
}

const between = Uint8Array.of(0)

/** Tables are compressed on disk: what the database itself reads is searched as well. */
async function searchStore(kv: Kv, words: Words): Promise<void> {
  let after: Uint8Array | undefined
  do {
    const page = await kv.range(after === undefined ? {} : { gt: after })
    // In one piece: looking through a million small ones takes a minute. No text holds the byte between.
    words.look(Buffer.concat(page.flatMap(({ key, value }) => [key, between, value, between])))
    after = page.at(-1)?.key
  } while (after !== undefined)
}

/** What each node's disk says of each shard: who holds it, by the newest set known anywhere, and which records are there. */
class Shards {
  readonly #newest = new Map<string, { epoch: number; step: number; members: readonly string[] }>()
  readonly #held = new Map<string, Map<string, string>>()

  async take(node: NodeProcess, store: Store): Promise<void> {
    const crypto = await loadCrypto()
    const sets = new ReplicaSets(store, crypto, new Identities(store, crypto))
    for (let after: Uint8Array | undefined; ; ) {
      const page = await store.shards.list({ status: 'hosted', limit: 1_000, ...(after && { after }) })
      for (const { shard } of page) {
        const name = toHex(shard)
        const set = sets.get(shard)?.newest
        const known = this.#newest.get(name)
        const isNewer =
          known === undefined ||
          (set?.epoch ?? 0) > known.epoch ||
          ((set?.epoch ?? 0) === known.epoch && (set?.step ?? 0) > known.step)
        if (set !== undefined && isNewer) {
          this.#newest.set(name, {
            epoch: set.epoch,
            step: set.step,
            members: set.members.map((seat) => toHex(seat.node)),
          })
        }
        const refs = await store.records.refs(shard)
        const ids = toHex(crypto.sha256(Buffer.concat(refs.map(({ id }) => id))))
        const held = this.#held.get(name) ?? new Map<string, string>()
        this.#held.set(name, held.set(node.id, `${refs.length} ${ids}`))
      }
      after = page.at(-1)?.shard
      if (after === undefined) return
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
