import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'

const root = process.env.ONEHOP_DATA ?? resolve(import.meta.dirname, '../../../../shared/data')

/** Real data lies beside the repository and is no part of it. Undefined when the file is not there. */
export function readData(name: string): string | undefined {
  const path = resolve(root, name)
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}
