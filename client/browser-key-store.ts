import { OnehopError } from '../protocol/errors.ts'
import { createLocks } from './key-store.ts'
import type { KeyStore } from './key-store.ts'

const storeName = 'kept'

/**
 * Keys of a page in IndexedDB. One transaction writes all or nothing. Tabs exclude each other by navigator.locks; on
 * pages from plain http, which have none, only within the tab: such pages hold app keys alone, and a second tab's
 * record with the same number would be refused, never merged unseen.
 */
export async function openBrowserKeyStore(name = 'onehop'): Promise<KeyStore> {
  const database = await openDatabase(name)
  const tabLocks = createLocks()

  const run = <T>(
    mode: IDBTransactionMode,
    action: (kept: IDBObjectStore) => IDBRequest<T> | undefined,
  ): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(storeName, mode, { durability: 'strict' })
      const request = action(transaction.objectStore(storeName))
      transaction.oncomplete = () => resolve(request?.result)
      transaction.onerror = () => reject(keptError(transaction.error))
      transaction.onabort = () => reject(keptError(transaction.error))
    })

  return {
    async get(key) {
      const value: unknown = await run('readonly', (kept) => kept.get(key) as IDBRequest<unknown>)
      return value instanceof Uint8Array ? value : undefined
    },
    async list(prefix) {
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`)
      const keys = await run('readonly', (kept) => kept.getAllKeys(range))
      return (keys ?? []).filter((key) => typeof key === 'string')
    },
    async write(changes) {
      await run('readwrite', (kept) => {
        for (const [key, value] of changes) {
          if (value === undefined) kept.delete(key)
          else kept.put(value, key)
        }
        return undefined
      })
    },
    lock(lockName, action) {
      const locks = (navigator as { readonly locks?: LockManager }).locks
      if (locks === undefined) return tabLocks(lockName, action)
      return locks.request(`${name}/${lockName}`, action) as ReturnType<typeof action>
    },
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(storeName)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(keptError(request.error))
    request.onblocked = () =>
      reject(new OnehopError('STORE_LOCKED', 'another tab holds an older form of the keys: close it'))
  })
}

function keptError(cause: DOMException | null): OnehopError {
  const full = cause?.name === 'QuotaExceededError'
  return new OnehopError(full ? 'STORE_FULL' : 'STORE_UNWRITABLE', 'the browser did not keep the keys', {
    cause,
    help: full
      ? 'Free some space on the device.'
      : 'Allow this site to keep data; private windows may refuse it.',
  })
}
