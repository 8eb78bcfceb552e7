import { readFileSync } from 'node:fs'
import { readData } from '../trial/data/folder.ts'
import type { Draw } from '../trial/data/draw.ts'

const dataFile = 'p2p-live-streaming/data/sample_every5th_2020_03_17.tsv.gz'

/**
 * Stands in where the data is absent: seconds that shares of sessions do not exceed, at even steps from none to all, of the
 * same order as those measured.
 */
const standIn = [1, 7, 15, 30, 60, 120, 250, 500, 1_000, 4_000, 60_000]

/** Lengths as they were measured, to be drawn from. */
export class Sessions {
  readonly source: string
  readonly meanMs: number
  readonly #lengthsMs: Float64Array
  /** Sums of the lengths: whoever looks at a random moment is more likely to look into a long one. */
  readonly #sums: Float64Array

  constructor(lengthsMs: readonly number[], source: string) {
    this.source = source
    this.#lengthsMs = Float64Array.from(lengthsMs.filter((ms) => ms > 0)).toSorted()
    this.#sums = new Float64Array(this.#lengthsMs.length)
    let sum = 0
    for (const [i, ms] of this.#lengthsMs.entries()) this.#sums[i] = sum += ms
    if (!(sum > 0)) throw new Error('there are no session lengths to draw from')
    this.meanMs = sum / this.#lengthsMs.length
  }

  get count(): number {
    return this.#lengthsMs.length
  }

  /** As a share of the mean. */
  draw(draw: Draw): number {
    return (this.#lengthsMs[draw.whole(this.#lengthsMs.length)] as number) / this.meanMs
  }

  /** What is left, at a random moment, of the one that is under way then. */
  left(draw: Draw): number {
    const at = draw.fraction() * (this.#sums.at(-1) as number)
    let [low, high] = [0, this.#sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sums[middle] as number) > at) high = middle
      else low = middle + 1
    }
    return ((this.#lengthsMs[low] as number) * draw.fraction()) / this.meanMs
  }

  /** Of those that last longer than so many means, the share of all. */
  shareLonger(means: number): number {
    return this.#lengthsMs.filter((ms) => ms > means * this.meanMs).length / this.#lengthsMs.length
  }
}

/** A file's, else the data set's, else the built-in ones. */
export function loadSessions(file: string | undefined): Sessions {
  if (file !== undefined) {
    const lengths = readFileSync(file, 'utf8').split(/\s+/).map(Number)
    return new Sessions(
      lengths.filter((s) => s > 0).map((s) => s * 1_000),
      file,
    )
  }
  const text = readData(dataFile)
  return text === undefined ? builtInSessions() : new Sessions(peerSessions(text), 'p2p-live-streaming')
}

export function builtInSessions(): Sessions {
  const lengths = standIn.slice(1).flatMap((to, i) => {
    const from = standIn[i] as number
    return Array.from({ length: 100 }, (_, j) => from * (to / from) ** ((j + 0.5) / 100) * 1_000)
  })
  return new Sessions(lengths, 'built in, as the data folder is absent')
}

/** A row is a link between two peers: a peer is there from the first of its links to the last. */
function peerSessions(text: string): number[] {
  const [head = '', ...rows] = text.trimEnd().split('\n')
  const columns = head.split('\t')
  const [first, second, begin, end] = ['pid1', 'pid2', 'min_ts', 'max_ts'].map((name) =>
    columns.indexOf(name),
  ) as [number, number, number, number]
  const peers = new Map<string, { fromMs: number; toMs: number }>()
  for (const row of rows) {
    const cells = row.split('\t')
    const [fromMs, toMs] = [Date.parse(cells[begin] as string), Date.parse(cells[end] as string)]
    for (const peer of [cells[first] as string, cells[second] as string]) {
      const known = peers.get(peer) ?? { fromMs, toMs }
      peers.set(peer, { fromMs: Math.min(known.fromMs, fromMs), toMs: Math.max(known.toMs, toMs) })
    }
  }
  return [...peers.values()].map(({ fromMs, toMs }) => toMs - fromMs)
}
