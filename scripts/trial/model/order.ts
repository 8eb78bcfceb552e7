interface Placed {
  readonly clock: bigint
  readonly id: string
}

/** By clock, then id, as shards are ordered; the newest first. */
export function byNewest(a: Placed, z: Placed): number {
  if (a.clock !== z.clock) return a.clock > z.clock ? -1 : 1
  return a.id === z.id ? 0 : a.id > z.id ? -1 : 1
}
