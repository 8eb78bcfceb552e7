/**
 * What was only looked up, of people whom nobody here hosts or follows: in memory, the longest unused going first. Anybody
 * may have this node look somebody up, so none of it may stay on the disk, and all of it together has a bound.
 */
export class Visitors<T> {
  readonly #bytesMax: number
  readonly #known = new Map<string, { readonly value: T; readonly bytes: number }>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(name: string): T | undefined {
    const known = this.#known.get(name)
    if (known === undefined) return undefined
    // Re-inserted at the end: the map's order is the order of use.
    this.#known.delete(name)
    this.#known.set(name, known)
    return known.value
  }

  has(name: string): boolean {
    return this.#known.has(name)
  }

  /** Answers who had to go. One that is larger than all may be is not kept. */
  set(name: string, value: T, bytes: number): string[] {
    this.delete(name)
    this.#known.set(name, { value, bytes })
    this.#bytes += bytes
    const gone: string[] = []
    for (const oldest of this.#known.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      this.delete(oldest)
      gone.push(oldest)
    }
    return gone
  }

  delete(name: string): void {
    this.#bytes -= this.#known.get(name)?.bytes ?? 0
    this.#known.delete(name)
  }
}
