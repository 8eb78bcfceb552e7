import { OnehopError } from '../protocol/errors.ts'
import { utf8 } from '../protocol/bytes.ts'
import { buildTrees } from './build-trees.ts'
import { keyOf, readUint, tags, uintPart } from './keys.ts'
import type { Kv } from './kv.ts'

export const formatVersion = 2

/**
 * Step `n` brings a store of version n to version n + 1. It may run again after a crash, so it must not mind
 * finding its own work half done. Version 1 is the first; version 2 has the trees of refs.
 */
export type MigrationSteps = Readonly<Record<number, (kv: Kv) => Promise<void>>>
const steps: MigrationSteps = { 1: buildTrees }

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
