import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import type { Kv } from './kv.ts'
import type { Store } from './types.ts'

export interface StoreOptions {
  readonly clock: Clock
}

/** Brings the format up to date and returns a store that is ready. Closing the store closes `kv`. */
export async function openStore(_kv: Kv, _options: StoreOptions): Promise<Store> {
  throw new OnehopError('UNSUPPORTED', 'the store is being built')
}
