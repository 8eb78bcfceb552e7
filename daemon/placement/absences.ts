import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { absenceMs, HearingClock, missedMs, type Absence } from '../../protocol/placement/absence.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { decodeAs, uint } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import type { NodeId } from '../net/rpc.ts'

/** By node: for how long it was away, in ms. Only of those that were when this was written. */
const kind = 'absence'
/** Beyond, an absence begins anew with the next start. */
const notesMax = 4_096
/** A crash forgets that part of the time after which a seat is taken at most: ten minutes of three days. */
const noteParts = 432

export interface AbsencesParts {
  readonly store: Pick<Store, 'documents' | 'write'>
  readonly clock: Clock
  readonly log: Log
  readonly config: { readonly heartbeatMs: number; readonly replaceAfterMs: number }
}

/** For how long those that this node listens for were away; goes on where it was after a restart. */
export class Absences {
  readonly #parts: AbsencesParts
  readonly #hearing: HearingClock
  readonly #absences = new Map<NodeId, Absence>()
  /** As it stands on the disk. */
  readonly #notes = new Map<NodeId, number>()

  private constructor(parts: AbsencesParts) {
    this.#parts = parts
    this.#hearing = new HearingClock(parts.config.heartbeatMs)
  }

  static async open(parts: AbsencesParts): Promise<Absences> {
    const absences = new Absences(parts)
    for (const { key, bytes } of await parts.store.documents.list(kind, { limit: notesMax }))
      absences.#notes.set(toHex(key), decodeAs(uint(), bytes, kind))
    return absences
  }

  listenFor(node: NodeId): void {
    if (this.#absences.has(node)) return
    this.#absences.set(node, { beforeMs: this.#notes.get(node) ?? 0, sinceMs: this.#readMs })
  }

  /** Whoever it is: a node that hears nobody counts nothing. */
  heard(node: NodeId): void {
    this.#hearing.heard(this.#parts.clock.monotonicMs())
    if (this.#absences.has(node)) this.#absences.set(node, { beforeMs: 0, sinceMs: this.#readMs })
  }

  /** 0 of one that is not listened for. */
  awayMs(node: NodeId): number {
    const absence = this.#absences.get(node)
    return absence === undefined ? 0 : absenceMs(absence, this.#readMs, this.#parts.config.heartbeatMs)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#parts
    let notedMs = clock.monotonicMs()
    try {
      while (!signal.aborted) {
        await clock.sleep(config.heartbeatMs, signal)
        const isTime = clock.monotonicMs() - notedMs >= config.replaceAfterMs / noteParts
        if (isTime) notedMs = clock.monotonicMs()
        await this.#note(isTime)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await this.#note(true)
    }
  }

  /** Who was heard is forgotten at once: nobody may lose a seat for what was before. The rest has time. */
  async #note(isTime: boolean): Promise<void> {
    const { store, log, config } = this.#parts
    const gone = [...this.#notes].filter(([node, notedMs]) => {
      const absence = this.#absences.get(node)
      if (absence !== undefined) return missedMs(absence, this.#readMs) < notedMs
      return isTime && this.#readMs >= config.replaceAfterMs / noteParts
    })
    const away = isTime ? [...this.#away()].slice(0, notesMax - this.#notes.size) : []
    if (gone.length + away.length === 0) return
    try {
      await store.write((batch) => {
        for (const [node] of gone) store.documents.deleteIn(batch, kind, keyOf(node))
        for (const [node, ms] of away) store.documents.putIn(batch, kind, keyOf(node), encode(ms))
      })
      for (const [node] of gone) this.#notes.delete(node)
      for (const [node, ms] of away) this.#notes.set(node, ms)
    } catch (error) {
      log.debug('absence.not-noted', { error: String(error) })
    }
  }

  /** Whoever was away for long enough already is noted once: one that left for good costs nothing more. */
  *#away(): Generator<readonly [NodeId, number]> {
    const { heartbeatMs, replaceAfterMs } = this.#parts.config
    for (const [node, absence] of this.#absences) {
      const ms = Math.floor(missedMs(absence, this.#readMs))
      const notedMs = this.#notes.get(node) ?? heartbeatMs * 2
      if (ms > notedMs && notedMs < replaceAfterMs) yield [node, ms]
    }
  }

  get #readMs(): number {
    return this.#hearing.readMs(this.#parts.clock.monotonicMs())
  }
}

function keyOf(node: NodeId): Uint8Array {
  return fromHex(node, 32) as Uint8Array
}
