/**
 * Once a week every table of the database is read against its own sums, slowly: bytes that rot where nobody looks would be taken for
 * what was written, and merged into new tables that seem sound.
 */
import { join } from 'node:path'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { damagedFiles } from '../../storage/level-files/damage.ts'
import { noteDamage } from '../../storage/mend-store.ts'

const everyMs = 7 * 86_400_000
/** A box that is started every morning is looked at, too. */
const firstMs = 3_600_000
/** A table has about 2 MB: a gigabyte takes some minutes, and nobody notices. */
const pauseMs = 500

export interface ScrubParts {
  readonly location: string
  readonly clock: Clock
  readonly log: Log
  /** The disk, where it is another than the machine's. */
  readonly read?: (path: string) => Promise<Uint8Array>
}

export class Scrub {
  readonly #parts: ScrubParts
  #damaged: string | undefined

  constructor(parts: ScrubParts) {
    this.#parts = parts
  }

  /** A file that is not as it was written: mended when the node starts the next time. */
  get damaged(): string | undefined {
    return this.#damaged
  }

  /** By the scrub, or by a reader. */
  async found(name: string): Promise<void> {
    if (this.#damaged !== undefined) return
    this.#damaged = name
    this.#parts.log.error('store.damaged', { file: name })
    await noteDamage(this.#parts.location, name)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { location, clock, read } = this.#parts
    const pause = (): Promise<void> => clock.sleep(pauseMs, signal)
    for (let waitMs = firstMs; this.#damaged === undefined; waitMs = everyMs) {
      await clock.sleep(waitMs, signal)
      const found = damagedFiles(join(location, 'level'), { pause, read, signal, logs: false })
      try {
        for await (const { name } of found) return await this.found(name)
      } catch (cause) {
        signal.throwIfAborted()
        // What cannot be read is as good as damaged.
        return this.found(asOnehopError(cause).message)
      }
    }
  }
}
