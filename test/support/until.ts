/** Waits for a condition and returns its first truthy value. Rejects when it has not come within `timeoutMs`. */
export async function until<T>(condition: () => T | Promise<T>, timeoutMs = 30_000): Promise<T> {
  const startMs = performance.now()
  while (true) {
    const value = await condition()
    if (value) return value
    if (performance.now() - startMs > timeoutMs) {
      throw new Error(`not within ${timeoutMs} ms: ${condition.toString().slice(0, 200)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
