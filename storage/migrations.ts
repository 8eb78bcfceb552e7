import { OnehopError } from '../protocol/errors.ts'
import { utf8 } from '../protocol/bytes.ts'
import { buildTrees } from './build-trees.ts'
import { indexEnds } from './index-ends.ts'
import { keyOf, prefixEnd, readUint, tags, uintPart } from './keys.ts'
import type { Kv } from './kv.ts'

export const formatVersion = 3

/**
 * Step `n` brings a store of version n to version n + 1. It may run again after a crash, so it must not mind
 * finding its own work half done. Version 1 is the first; version 2 has the trees of refs, version 3 knows what is over when.
 */
export type MigrationSteps = Readonly<Record<number, (kv: Kv) => Promise<void>>>
const steps: MigrationSteps = { 1: buildTrees, 2: indexEnds }

export const versionKey = keyOf(tags.meta, utf8('version')).slice()

export async function migrate(
  kv: Kv,
  target: number = formatVersion,
  table: MigrationSteps = steps,
): Promise<void> {
  const bytes = kv.get(versionKey)
  let version = bytes === undefined ? undefined : readUint(bytes, 0)
  if (version === undefined) {
    const any = await kv.keys({ limit: 1 })
    if (any.length > 0)
      throw new OnehopError('STORE_CORRUPT', 'the database holds something that is not a store')
    version = target
    await kv.batch([{ type: 'put', key: versionKey, value: uintPart(version) }])
  }
  if (version > target) {
    throw new OnehopError('STORE_VERSION', `the store has format ${version}; this release knows ${target}`)
  }
  for (; version < target; version++) {
    const step = table[version]
    if (step === undefined) throw new OnehopError('INTERNAL', `no step from store format ${version}`)
    await step(kv)
    await kv.batch([{ type: 'put', key: versionKey, value: uintPart(version + 1) }])
  }
}

const knownTags: ReadonlySet<number> = new Set(Object.values(tags))

/** Everything in it is what a store has, save which version of it: damage took that. */
export async function hasLostVersion(kv: Kv): Promise<boolean> {
  if (kv.get(versionKey) !== undefined) return false
  let from: Uint8Array | undefined = new Uint8Array(0)
  let found = false
  while (from !== undefined) {
    const [key]: Uint8Array[] = await kv.keys({ gte: from, limit: 1 })
    if (key === undefined) break
    if (!knownTags.has(key[0] as number)) return false
    found = true
    from = prefixEnd(key.subarray(0, 1))
  }
  return found
}

/** What an older version lacks shows as it is looked through, and is made anew. */
export async function restoreVersion(kv: Kv): Promise<void> {
  if (await hasLostVersion(kv))
    await kv.batch([{ type: 'put', key: versionKey, value: uintPart(formatVersion) }])
}

/** For whoever changes nothing. */
export function requireVersion(kv: Kv): void {
  const bytes = kv.get(versionKey)
  if (bytes === undefined || readUint(bytes, 0) === formatVersion) return
  throw new OnehopError(
    'STORE_VERSION',
    `the store has format ${readUint(bytes, 0)}, and this release ${formatVersion}`,
    {
      help: 'onehop start brings an older one up to date. For a newer one install the release that wrote it.',
    },
  )
}
