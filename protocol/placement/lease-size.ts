/** How many bytes are asked for a shard. */
export interface LeaseSize {
  readonly usedBytes: number
  readonly firstBytes: number
  readonly mostBytes: number
}

/**
 * The first size, doubled until no more than half of it is in use: so there is room left while the next promise is asked for, and what a
 * small shard never needs is nobody's reserve.
 */
export function leaseSize({ usedBytes, firstBytes, mostBytes }: LeaseSize): number {
  let bytes = Math.max(1, firstBytes)
  while (bytes < usedBytes * 2 && bytes < mostBytes) bytes *= 2
  return Math.max(1, Math.min(bytes, mostBytes))
}

/** For what a node has already, whatever it would promise others now: that keeps its room. */
export function keptLeaseSize(size: LeaseSize): number {
  return leaseSize({ ...size, mostBytes: Math.max(size.mostBytes, size.usedBytes) })
}
