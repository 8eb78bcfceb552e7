import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

function versionOf(folder: string): string {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
  } catch {
    return 'absent'
  }
}

/** What the figures were measured with: the machine, Node, onehop and the packages that matter. */
export function versions(packages: readonly string[]): Record<string, string> {
  const cores = cpus()
  return {
    onehop: versionOf(root),
    node: process.versions.node,
    os: `${type()} ${release()} ${process.arch}`,
    cpu: `${cores.length} x ${cores[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: (totalmem() / 2 ** 30).toFixed(1),
    ...Object.fromEntries(packages.map((name) => [name, versionOf(join(root, 'node_modules', name))])),
  }
}
