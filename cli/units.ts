/** Quantities as people read them. */
const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[unit]}`
}

export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  // A span of 30 days that began a second ago is 30 days.
  return `${Math.round(seconds / 86_400)} days`
}

/** 4:59, for a countdown. */
export function formatCountdown(remainingMs: number): string {
  const seconds = Math.max(0, Math.ceil(remainingMs / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** A number with its noun: `1 copy`, `3 copies`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** Enough of an id to tell it from its neighbours. */
export function shortId(id: Uint8Array | string): string {
  const hex = typeof id === 'string' ? id : Buffer.from(id).toString('hex')
  return hex.slice(0, 12)
}
