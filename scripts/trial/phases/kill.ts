import { microblog } from '../../../client/microblog.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { Draw } from '../data/draw.ts'
import { rounded } from '../figures.ts'
import { countLost } from '../model/equal.ts'
import { pace } from '../plan.ts'
import type { Phase, Trial } from '../trial.ts'
import { until } from '../waiting.ts'
import { countCopies, recordsHeld, recordsToCome } from './copies.ts'
import { doomed } from './nearest.ts'

const restoredWithinMs = pace.replaceAfterMs + 45_000
const comparedById = 60

/** A home dies without a word. Its people's client reads on elsewhere, nothing is missing, and the seats are filled. */
export const kill: Phase = {
  name: 'kill',
  async run(trial: Trial) {
    const { processes, ledger, figures, progress, reader, signal } = trial
    const home = processes.named(doomed)
    const orphaned = ledger.people
      .map(({ number }) => number)
      .filter((number) => ledger.members[number]?.includes(home.id) === true)
    // Read once before, as an app that is open has.
    const request = {
      owner: reader?.nearest.owner ?? new Uint8Array(32),
      app: microblog.id,
      collection: 'posts',
    }
    const before = await reader?.nearest.call('record.list', request, { signal })

    await home.kill()
    const killedMs = performance.now()
    const after = await reader?.nearest.call('record.list', request, { signal })
    const firstReadMs = performance.now() - killedMs
    const isSame = before !== undefined && before.records.length === after?.records.length
    if (!isSame) progress.say('the read after the kill shows other records than the one before')
    const movedMs = reader?.nearest.lastMoveMs ?? Number.NaN
    if (figures.nearest !== undefined) figures.nearest = { ...figures.nearest, movedMs: rounded(movedMs) }
    progress.say(
      `killed ${doomed}; read from ${processes.nodes.find(({ id }) => id === toHex(reader?.nearest.node ?? home.key))?.plan.name} after ${Math.round(firstReadMs)} ms`,
    )

    for (const number of orphaned) {
      ledger.members[number] = ledger.members[number]?.filter((id) => id !== home.id) ?? []
    }
    const held = await Promise.all(processes.homes.map((node) => recordsHeld(node, signal)))
    let missing = orphaned.reduce((sum, number) => {
      const most = Math.max(...held.map((of) => of.get(ledger.ids[number] ?? '') ?? 0))
      return sum + Math.max(0, ledger.recordsOf(number) - most)
    }, 0)
    const sample = new Draw(9).some(orphaned, comparedById)
    missing += await countLost(trial, sample, ['profile', 'posts', 'follows'])

    const only = new Set(orphaned)
    let waiting = orphaned.length
    figures.kill = {
      firstReadMs: rounded(firstReadMs),
      recordsMissing: missing + (isSame ? 0 : 1),
      copiesRestoredS: Number.NaN,
    }
    await until('copies back', { withinMs: restoredWithinMs, everyMs: 1_500, signal }, async () => {
      const left = await recordsToCome(trial)
      if (left > 0) {
        const untilLostMs = pace.replaceAfterMs - (performance.now() - killedMs)
        progress.say(
          `${untilLostMs > 0 ? `waits until the home counts as lost (${Math.ceil(untilLostMs / 1000)} s); then ` : ''}${left} copies of records are to come`,
        )
        return false
      }
      const counted = await countCopies(trial, only)
      waiting = counted.filter(({ holders, wanted }) => holders < wanted).length
      if (waiting > 0) progress.say(`${waiting} of ${orphaned.length} shards have a seat to fill`)
      return waiting === 0
    })
    figures.kill = { ...figures.kill, copiesRestoredS: rounded((performance.now() - killedMs) / 1000) }
  },
}
