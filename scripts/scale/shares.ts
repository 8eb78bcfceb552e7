export function share(list: readonly number[], part: number): number {
  const sorted = list.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
}

export function median(list: readonly number[]): number {
  return share(list, 0.5)
}
