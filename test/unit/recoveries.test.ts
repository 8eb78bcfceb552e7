import { expect, test } from 'vitest'
import { Hosting } from '../../daemon/hosting.ts'
import { Identities } from '../../daemon/identities.ts'
import { Recoveries, type RecoveriesParts } from '../../daemon/placement/recoveries.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { recoveryFromWords, recoveryKeysOf, makeRecoveryWords } from '../../protocol/identity/recovery.ts'
import { replay } from '../../protocol/identity/log.ts'
import { encodePlaced } from '../../protocol/placement/messages.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { seededCrypto } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

test('providers that agree with each other do not keep the others from being asked', async () => {
  const crypto = seededCrypto(3)
  const clock = createVirtualClock()
  const recovery = recoveryKeysOf(recoveryFromWords(crypto, makeRecoveryWords(crypto)))
  const logOf = (): Uint8Array => {
    const { state } = createIdentity(crypto, deviceFromSeed(crypto, crypto.random(32)), { recovery })
    return encodeLog(state.entries)
  }
  const [impostor, honest] = [logOf(), logOf()]
  const providers = Array.from({ length: 6 }, (_, i) => String(i).repeat(64))
  await using store = await openStore(new MemoryKv(), { clock })
  const identities = new Identities(store, crypto, clock)
  const parts = {
    ...{ crypto, clock, store, identities, hosting: await Hosting.open(store) },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    signal: new AbortController().signal,
    replicaSets: { get: () => undefined, accept: async () => undefined },
    rpc: {
      self: 'f'.repeat(64),
      handle() {},
      connected: () => [],
      request: async (node: string) =>
        encodePlaced([
          { chain: Uint8Array.of(0), log: node === providers.at(-1) ? honest : impostor, people: [] },
        ]),
    },
    routing: {
      size: () => providers.length,
      async *findProviders() {
        for (const node of providers) yield { node, addresses: [] }
      },
    },
  } as unknown as RecoveriesParts
  const recoveries = await Recoveries.open(parts)
  const found = await recoveries.find(recovery.key, parts.signal)
  const idOf = (log: Uint8Array): string => toHex(replay(crypto, decodeLog(crypto, log)).id)
  expect(new Set(found.map(({ log }) => idOf(log)))).toEqual(new Set([idOf(impostor), idOf(honest)]))
})
