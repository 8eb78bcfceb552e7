/** Programs that come as Debian packages: installed when missing and root, else the command to run is told. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export type DebianProgram = { readonly found: true } | { readonly found: false; readonly help: string }

function onPath(program: string): boolean {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

export function findDebian(program: string, debianPackage: string): DebianProgram {
  if (onPath(program)) return { found: true }
  const root = process.getuid?.() === 0
  const help = `To install it: ${root ? '' : 'sudo '}apt-get update && ${root ? '' : 'sudo '}apt-get install ${debianPackage}`
  if (!root || !onPath('apt-get')) return { found: false, help }
  process.stderr.write(`Installing ${debianPackage} ...\n`)
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0
  const installed = apt('update') && apt('install', '-y', '--no-install-recommends', debianPackage)
  return installed && onPath(program) ? { found: true } : { found: false, help }
}
