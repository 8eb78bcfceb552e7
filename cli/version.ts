import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The package's version, read from the nearest package.json: this file runs from cli/ and from dist/cli/. */
export function packageVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (!existsSync(path)) continue
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
    return version
  }
  return '0.0.0'
}
