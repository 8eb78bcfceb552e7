/**
 * A disk whose bits turn while nobody reads it. The real database is held to its own sums: what lies in a block that does not fit its
 * sum is taken out as the node starts (`storage/level-files`), and whatever was merged before anybody looked is seen where somebody
 * signed it. The memory disk has no blocks, so that neighbours in the order of keys stand for one.
 */
import { defaultConfig } from '../../daemon/config.ts'
import { mendIndexes } from '../../daemon/damage/mended.ts'
import { restoreHosting } from '../../daemon/damage/restore-hosting.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { tags } from '../../storage/keys.ts'
import type { Kv, KvEntry, KvWrite } from '../../storage/kv.ts'
import { restoreVersion } from '../../storage/migrations.ts'
import { openStore } from '../../storage/store.ts'
import type { Draw } from './draw.ts'

const spotsMax = 6
const blockEntriesMax = 20
const flipsMax = 4

export interface RotParts {
  readonly kv: Kv
  /** Of the node whose disk it is. */
  readonly self: Uint8Array
  readonly draw: Draw
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly log: Log
}

export async function rotAndMend({ kv, self, draw, clock, crypto, log }: RotParts): Promise<void> {
  await kv.batch(damage(await everything(kv), draw))
  await restoreVersion(kv)
  let kept = 0
  const quarantine = {
    get kept() {
      return kept
    },
    keep: async () => void kept++,
    keepDocument: async () => void kept++,
  }
  await mendIndexes(kv, { crypto, log, kept: 'nowhere', quarantine })
  const store = await openStore(kv, { clock })
  const config = defaultConfig({ XDG_STATE_HOME: '/nowhere' }).hosting
  await restoreHosting({ store, crypto, self, config })
  await store.close()
}

function damage(entries: readonly KvEntry[], draw: Draw): KvWrite[] {
  const writes: KvWrite[] = []
  const whole = (from: number, to: number): number => Math.floor(draw.between(from, to))
  for (let spots = whole(1, spotsMax + 1); spots > 0; spots--) {
    const from = whole(0, entries.length)
    const block = entries.slice(from, from + whole(1, blockEntriesMax + 1))
    for (const { key } of block) writes.push({ type: 'del', key })
  }
  const records = entries.filter(({ key }) => key[0] === tags.live)
  for (let flips = records.length === 0 ? 0 : whole(0, flipsMax + 1); flips > 0; flips--) {
    const { key, value } = draw.pick(records)
    const turned = value.slice()
    const at = whole(0, turned.length)
    turned[at] = (turned[at] as number) ^ (1 << whole(0, 8))
    writes.push({ type: 'put', key, value: turned })
  }
  return writes
}

async function everything(kv: Kv): Promise<KvEntry[]> {
  const entries: KvEntry[] = []
  for (let page = await kv.range({}), last = page.at(-1); last !== undefined; last = page.at(-1)) {
    entries.push(...page)
    page = await kv.range({ gt: last.key })
  }
  return entries
}
