/**
 * Where a device keeps what it must not lose: its seed, its identity log, how far it has counted, records that no
 * node has yet. Handed in, so that a page, a phone and a command line each use what they have.
 */
export interface KeyStore {
  /** Undefined when nothing is kept under the name. */
  get(name: string): Promise<Uint8Array | undefined>
  /** Names that begin so, sorted. */
  list(prefix: string): Promise<string[]>
  /** All of it or nothing, and durable when it resolves. Undefined deletes. */
  write(changes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void>
  /** Runs the action while nobody else, in any tab or process with this store, holds the lock of this name. */
  lock<T>(name: string, action: () => Promise<T>): Promise<T>
}

/** Names that the client uses. */
export const keyNames = {
  deviceSeed: 'device',
  /** Of the key that takes its place, until it has. */
  nextSeed: 'next-device',
  identityLog: 'identity',
  writer: 'writer',
  outbox: 'outbox/',
  replicaSet: 'replica-set/',
  readers: 'readers/',
  groups: 'groups/',
  /** When it was last looked whether empty seats can be filled. */
  seats: 'seats',
  told: 'told',
} as const

/** Forgets everything with the process. */
export function memoryKeyStore(): KeyStore {
  const kept = new Map<string, Uint8Array>()
  const lock = createLocks()
  return {
    get: async (name) => kept.get(name)?.slice(),
    list: async (prefix) => [...kept.keys()].filter((name) => name.startsWith(prefix)).toSorted(),
    async write(changes) {
      for (const [name, value] of changes) {
        if (value === undefined) kept.delete(name)
        else kept.set(name, value.slice())
      }
    },
    lock,
  }
}

/** Locks among the callers of one process: first come, first served. */
export function createLocks(): KeyStore['lock'] {
  const tails = new Map<string, Promise<unknown>>()
  return (name, action) => {
    const run = (tails.get(name) ?? Promise.resolve()).then(action)
    // The next one waits for the end, however it ends; the failure belongs to this caller alone.
    const tail = run.then(
      () => undefined,
      () => undefined,
    )
    tails.set(name, tail)
    void tail.then(() => {
      if (tails.get(name) === tail) tails.delete(name)
    })
    return run
  }
}
