import type { Dataset } from './data/dataset.ts'
import type { Figures } from './figures.ts'
import type { Ledger } from './model/ledger.ts'
import type { Writer } from './model/writer.ts'
import type { Nearest } from '../../client/nearest.ts'
import type { NodeProcess } from './node-process.ts'
import type { Processes } from './processes.ts'
import type { Progress } from './progress.ts'

/** What the phases share. Each reads what earlier ones found out and adds figures of its own. */
export interface Trial {
  readonly dataset: Dataset
  readonly processes: Processes
  readonly ledger: Ledger
  readonly writer: Writer
  readonly figures: Partial<Figures>
  readonly progress: Progress
  /** Aborts at the global deadline and on Ctrl-C. */
  readonly signal: AbortSignal
  /** Texts that only their authors may ever read. */
  readonly notes: string[]
  /** Users who were sent to the head of the DHT queue, by number, and those of each home. */
  named: readonly number[]
  readonly announced: { readonly node: NodeProcess; readonly owners: readonly Uint8Array[] }[]
  /** The client that chose the nearest member and reads on after the kill. */
  reader: { readonly nearest: Nearest; readonly person: number } | undefined
}

export interface Phase {
  readonly name: string
  /** Without it nothing that follows can be measured. */
  readonly isNeeded?: boolean
  run(trial: Trial): Promise<void>
}
