import { fromHex, toHex } from '../../protocol/bytes.ts'
import { compareVersions } from '../../protocol/record/merge.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import type { Issued } from './history.ts'

type Token = {
  readonly device: Uint8Array
  readonly intervals: { readonly first: number; readonly last: number }[]
}[]

/** What one app was shown and told, whichever node it talked to: it is never shown less. */
export class Session {
  readonly #numbers = new Map<string, Set<number>>()
  readonly #newest = new Map<string, Issued>()

  /** Acknowledged, or shown. */
  learn(issued: Issued): void {
    const { item, record } = issued
    const device = toHex(record.header.device)
    const numbers = this.#numbers.get(device) ?? new Set()
    this.#numbers.set(device, numbers.add(record.header.number))
    const before = this.#newest.get(item)
    if (before === undefined || compareVersions(record, before.record) > 0) this.#newest.set(item, issued)
  }

  newest(item: string): Issued | undefined {
    return this.#newest.get(item)
  }

  token(): Token {
    return [...this.#numbers].map(([device, numbers]) => ({
      device: fromHex(device, 32) as Uint8Array,
      intervals: intervalsOf([...numbers].toSorted((a, b) => a - b)),
    }))
  }
}

export function isOlder(shown: SignedRecord | undefined, known: Issued | undefined): boolean {
  return known !== undefined && (shown === undefined || compareVersions(shown, known.record) < 0)
}

function intervalsOf(ascending: readonly number[]): { first: number; last: number }[] {
  const intervals: { first: number; last: number }[] = []
  for (const number of ascending) {
    const last = intervals.at(-1)
    if (last?.last === number - 1) last.last = number
    else intervals.push({ first: number, last: number })
  }
  return intervals
}
