/**
 * What the outside world looks like to code that decides. Handed in everywhere, so that the simulator runs
 * the same code under virtual time and seeded randomness.
 */
export interface Clock {
  /** Unix time in milliseconds. May jump either way. */
  nowMs(): number
  /** Milliseconds from an arbitrary start. Never goes back. */
  monotonicMs(): number
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
  /** Calls `action` once after `delayMs`, unless the returned function was called before. */
  after(delayMs: number, action: () => void): () => void
}

export interface Random {
  /** `length` bytes that nobody can guess (the simulator's are seeded). */
  bytes(length: number): Uint8Array
}

/** A structured log: a fixed event name and fields. Never keys, plaintext or secrets. */
export interface Log {
  debug(event: string, fields?: Record<string, unknown>): void
  info(event: string, fields?: Record<string, unknown>): void
  warn(event: string, fields?: Record<string, unknown>): void
  error(event: string, fields?: Record<string, unknown>): void
}
