import type { NodeProcess } from '../node-process.ts'
import type { Trial } from '../trial.ts'
import { inParallel, until } from '../waiting.ts'
import { listIds } from './reading.ts'

/** Who holds the shard now, as the first running member says; killed ones are among them until they are replaced. */
export function holdersOf({ processes, ledger }: Trial, number: number): NodeProcess[] {
  const members = ledger.members[number] ?? []
  return members.flatMap((id) => processes.running.find((node) => node.id === id) ?? [])
}

/** Of what these people wrote in a collection, how much some holder does not list. */
export async function countLost(
  trial: Trial,
  numbers: readonly number[],
  collections: readonly string[],
): Promise<number> {
  const { ledger, writer, signal } = trial
  const lost = await inParallel(numbers, 8, async (number) => {
    const missing = new Set<string>()
    for (const collection of collections) {
      const written = ledger.entriesOf(number, collection).map(({ id }) => id)
      for (const node of holdersOf(trial, number)) {
        const held = await listIds(node.public, writer.id(number), collection, writer.crypto, signal)
        for (const id of written) if (!held.has(id)) missing.add(id)
      }
    }
    return missing.size
  })
  return lost.reduce((sum, count) => sum + count, 0)
}

/** Resolves when every holder lists everything; with the number still missing when it takes too long. */
export async function converge(
  trial: Trial,
  numbers: readonly number[],
  collections: readonly string[],
  withinMs: number,
): Promise<number> {
  let lost = 0
  await until('equal copies', { withinMs, everyMs: 250, signal: trial.signal }, async () => {
    lost = await countLost(trial, numbers, collections)
    return lost === 0
  }).catch((error: unknown) => {
    if (trial.signal.aborted) throw error
  })
  return lost
}
