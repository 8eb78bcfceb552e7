/** The value below which `share` (0 to 1) of the values lie; nearest rank. NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Milliseconds that each of `count` calls took, one after another. */
export async function timeEachMs(count: number, call: (index: number) => unknown): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const startMs = performance.now()
    await call(index)
    times.push(performance.now() - startMs)
  }
  return times
}

/**
 * Calls per second, the median of `rounds` rounds of `count` synchronous calls. Two contestants of one run belong
 * in turns (`perSecond` of each, in one loop) when the machine drifts.
 */
export function perSecond(count: number, call: (index: number) => unknown, rounds = 5): number {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now()
    for (let index = 0; index < count; index++) call(index)
    rates.push((count * 1000) / (performance.now() - startMs))
  }
  return median(rates)
}
