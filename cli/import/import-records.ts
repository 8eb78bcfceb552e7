/**
 * Brings other people's records in: reads lines, signs each as its user would have, and sends batches, several at
 * once, never more than a few ahead of the node. Memory holds those batches and one small entry for each user.
 *
 * Safe to repeat: the same seed and start give the same people and records, which the node then knows already.
 */
import type { Transport } from '../../client/transport.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { parseItem } from '../../protocol/schema/check-item.ts'
import type { Collection } from '../../protocol/schema/schema.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import type { Line } from './lines.ts'
import { readLine } from './line-reader.ts'
import type { Entry, LineForm } from './line-reader.ts'
import { People } from './people.ts'
import type { Known } from './people.ts'
import { placePeople } from './placing.ts'
import { profileOf, profileValue } from './profile.ts'
import { makeRecord } from './record-maker.ts'
import { persist } from './retry.ts'

export interface ImportOptions {
  readonly lines: AsyncIterable<Line> | Iterable<Line>
  readonly form: Omit<LineForm, 'idOf'>
  /** Everybody's keys follow from it. Not a secret worth the name: for trials and tests. */
  readonly seed: string
  /** Records without a time of their own are clocked from here on, in the order of the lines. */
  readonly startMs: number
  /** A second file under one seed goes on where the first ended: each number is used once. Default 0. */
  readonly numbersAfter?: number
  /** Users who have no line in it get one with their name and place. */
  readonly profileCollection?: string | undefined
  /** Signed replica sets for everybody at the end. Default true. */
  readonly place?: boolean
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly clock: Pick<Clock, 'sleep'>
  readonly signal?: AbortSignal | undefined
  readonly onUser?: (name: string, id: Uint8Array) => void
  readonly onProgress?: (progress: ImportProgress) => void
}

export interface ImportProgress {
  readonly stage: 'records' | 'placing'
  readonly bytesRead: number
  readonly lines: number
  readonly users: number
  readonly stored: number
  readonly known: number
  readonly refused: number
  readonly placed: number
}

export interface BadLine {
  readonly line: number
  readonly code: string
  readonly message: string
}

export interface ImportSummary extends ImportProgress {
  /** The first of them. */
  readonly bad: readonly BadLine[]
  /** Users without a replica set, and the first reason. */
  readonly unplaced: number
  readonly unplacedReason: string | undefined
}

interface Pending {
  readonly line: number
  readonly bytes: Uint8Array
  readonly known: Known
}

/** Leaves room in a body for the heads around each record. */
const batchBytesMax = apiLimits.bodyBytesMax - 64 * 1024
/** While one is on its way back, one is on the node's disk, one is verified and one waits. */
const batchesMax = 4
const badLinesMax = 20

export async function importRecords(options: ImportOptions): Promise<ImportSummary> {
  const importer = new Importer(options)
  await importer.run()
  return importer.summary()
}

class Importer {
  readonly #options: ImportOptions
  readonly #form: LineForm
  readonly #people: People
  readonly #profile: Collection | undefined
  readonly #bad: BadLine[] = []
  readonly #underWay = new Set<Promise<void>>()
  #batch: Pending[] = []
  #batchBytes = 0
  #newcomers: string[] = []
  #failure: OnehopError | undefined
  #progress = {
    stage: 'records' as 'records' | 'placing',
    bytesRead: 0,
    lines: 0,
    stored: 0,
    known: 0,
    refused: 0,
    placed: 0,
  }
  #unplaced: { count: number; reason: string | undefined } = { count: 0, reason: undefined }

  constructor(options: ImportOptions) {
    const { form, crypto, seed, profileCollection } = options
    this.#options = options
    this.#people = new People(crypto, seed)
    this.#form = {
      ...form,
      idOf: (user) => this.#people.known(user)?.id ?? this.#people.person(user).state.id,
    }
    this.#profile = profileCollection === undefined ? undefined : profileOf(form, profileCollection)
  }

  async run(): Promise<void> {
    const { call, signal, form, lines } = this.#options
    await call('schema.put', { schema: form.schema.bytes }, { signal })
    for await (const line of lines) {
      signal?.throwIfAborted()
      this.#progress.bytesRead = line.bytesRead
      this.#progress.lines++
      this.#takeLine(line)
      if (
        this.#batch.length >= apiLimits.recordsPerPutMax - 1 ||
        this.#batchBytes > batchBytesMax - 256 * 1024
      )
        await this.#flush()
    }
    await this.#flush()
    await Promise.all(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#options.place !== false) await this.#place()
  }

  summary(): ImportSummary {
    return {
      ...this.#progress,
      users: this.#people.size,
      bad: this.#bad.toSorted((a, b) => a.line - b.line),
      unplaced: this.#unplaced.count,
      unplacedReason: this.#unplaced.reason,
    }
  }

  #takeLine(line: Line): void {
    try {
      if (line.text === undefined) throw new OnehopError('BAD_FIELD', line.problem ?? 'cannot be read')
      const entry = readLine(line.text, this.#form)
      const known = this.#people.known(entry.user) ?? this.#welcome(entry)
      if (this.#profile !== undefined && !known.hasProfile) {
        known.hasProfile = true
        if (entry.collection !== this.#profile) this.#addProfile(line.number, entry, known)
      }
      this.#add(line.number, entry, entry.collection, entry.value, known)
    } catch (error) {
      const { code, message } = asOnehopError(error)
      if (code === 'INTERNAL') throw error
      this.#refuse({ line: line.number, code, message })
    }
  }

  #welcome(entry: Entry): Known {
    const known = this.#people.add(entry.user)
    this.#newcomers.push(entry.user)
    this.#options.onUser?.(entry.user, known.id)
    return known
  }

  #addProfile(line: number, entry: Entry, known: Known): void {
    const profile = this.#profile as Collection
    const value = profileValue(this.#form, profile, entry)
    if (value === undefined) return
    this.#add(line, entry, profile, parseItem(this.#form.schema, profile.name, value), known)
  }

  #add(line: number, { user, timeMs }: Entry, collection: Collection, value: ItemValue, known: Known): void {
    const { crypto, startMs, numbersAfter = 0 } = this.#options
    const place = line * 2 + (collection === this.#profile ? 0 : 1)
    const clock = timeMs === undefined ? clockOf(startMs) + BigInt(place) : clockOf(timeMs, place)
    const number = numbersAfter + known.made + 1
    const bytes = makeRecord(crypto, this.#form.schema, this.#people.person(user), {
      collection,
      value,
      number,
      clock,
    })
    known.made++
    this.#batch.push({ line, bytes, known })
    this.#batchBytes += bytes.length
  }

  #refuse(bad: BadLine): void {
    this.#progress.refused++
    // Batches come back in any order: the lowest numbers are kept.
    this.#bad.push(bad)
    if (this.#bad.length > badLinesMax * 2) {
      this.#bad.sort((a, b) => a.line - b.line)
      this.#bad.length = badLinesMax
    }
  }

  /** Sends what was gathered, once fewer than `batchesMax` are on their way. */
  async #flush(): Promise<void> {
    while (this.#underWay.size >= batchesMax) await Promise.race(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#batch.length === 0) return
    const [batch, newcomers] = [this.#batch, this.#newcomers]
    this.#batch = []
    this.#batchBytes = 0
    this.#newcomers = []
    if (newcomers.length > 0) {
      const arriving = this.#host(newcomers)
      // Before anything else runs, so that no later batch overtakes the arrival.
      for (const name of newcomers) (this.#people.known(name) as Known).arriving = arriving
    }
    const task: Promise<void> = this.#send(batch)
      .catch((error: unknown) => {
        this.#failure ??= asOnehopError(error)
      })
      .finally(() => this.#underWay.delete(task))
    this.#underWay.add(task)
  }

  async #host(names: readonly string[]): Promise<void> {
    const { call, clock, signal } = this.#options
    const hosts = names.map((name) => ({ log: this.#people.person(name).log, label: label(name) }))
    const { results } = await persist(() => call('admin.host.add', { hosts }, { signal }), clock, signal)
    for (const [i, name] of names.entries()) {
      const known = this.#people.known(name) as Known
      known.arriving = undefined
      const { code, message } = results[i] ?? { code: 'INTERNAL', message: 'the node gave no answer' }
      if (code !== null) known.refused = { code, message: message ?? '' }
    }
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    const { call, clock, signal, onProgress } = this.#options
    await Promise.all(new Set(batch.map(({ known }) => known.arriving)))
    const sent = batch.filter(({ line, known: { refused } }) => {
      if (refused !== undefined) this.#refuse({ line, ...refused })
      return refused === undefined
    })
    if (sent.length > 0) {
      const records = sent.map(({ bytes }) => bytes)
      const { results } = await persist(() => call('record.put', { records }, { signal }), clock, signal)
      for (const [i, { line }] of sent.entries()) {
        const result = results[i]
        if (result?.outcome === 'stored') this.#progress.stored++
        else if (result?.outcome === 'known') this.#progress.known++
        else this.#refuse({ line, code: result?.code ?? 'INTERNAL', message: result?.message ?? 'no answer' })
      }
    }
    onProgress?.({ ...this.#progress, users: this.#people.size })
  }

  async #place(): Promise<void> {
    const { call, crypto, clock, signal, onProgress } = this.#options
    this.#progress.stage = 'placing'
    const placing = placePeople({
      names: this.#people.names(),
      person: (name) => this.#people.person(name),
      isTaken: (name) => this.#people.known(name)?.refused === undefined,
      again: this.#progress.known > 0,
      call,
      crypto,
      clock,
      signal,
    })
    for await (const { placed, refused, reason } of placing) {
      this.#progress.placed += placed
      this.#unplaced = { count: this.#unplaced.count + refused, reason: this.#unplaced.reason ?? reason }
      onProgress?.({ ...this.#progress, users: this.#people.size })
    }
  }
}

/** A label is for the status of the node; 64 bytes of it. */
function label(name: string): string {
  return Buffer.from(name)
    .subarray(0, 60)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')
}
