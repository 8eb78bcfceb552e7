import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const root = process.env.ONEHOP_DATA ?? resolve(import.meta.dirname, '../../../shared/data')

/** Real data lives beside the project and is not part of it. Undefined when that file is not there. */
export function dataPath(name: string): string | undefined {
  const path = resolve(root, name)
  return existsSync(path) ? path : undefined
}
