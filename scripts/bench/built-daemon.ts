/** The node as people start it: the built command in a process of its own, with ports of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findDaemon } from '../../cli/daemon.ts'
import type { Transport } from '../../client/transport.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const lookEveryMs = 5
const startWithinMs = 30_000

export interface BuiltDaemon extends AsyncDisposable {
  readonly pid: number
  readonly call: Transport['call']
  /** From the start of the process until it answered. */
  readonly startS: number
}

export async function startBuiltDaemon(folder: string): Promise<BuiltDaemon> {
  if (!existsSync(bin)) throw new Error('npm run build comes first')
  const state = join(folder, 'state')
  const config = join(folder, 'config.json')
  await mkdir(folder, { recursive: true })
  const listen = { host: '127.0.0.1', tcp: 0, websocket: 0, http: 0 }
  await writeFile(config, JSON.stringify({ listen, network: { mdns: false }, log: 'error' }))
  const startMs = performance.now()
  const args = [bin, 'start', '--no-pair', '--json', '--state', state, '--config', config]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  while (performance.now() - startMs < startWithinMs && child.exitCode === null) {
    const daemon = await findDaemon(state).catch(() => undefined)
    if (daemon !== undefined && daemon.runtime.pid === child.pid) {
      await daemon.call('admin.status', { limit: 1 })
      const startS = (performance.now() - startMs) / 1000
      return { pid: child.pid ?? 0, call: daemon.call, startS, [Symbol.asyncDispose]: stop }
    }
    await sleep(lookEveryMs)
  }
  await stop()
  throw new Error('the node did not start')
}

export interface Usage {
  readonly rssMb: number
  readonly cpuS: number
}

/** Clock ticks a second, the same on every Linux that Node runs on. */
const ticksPerS = 100

/** What the system says of a process; Linux only. */
export function usageOf(pid: number): Usage {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  // After the name, which may hold spaces: user and system time are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return { rssMb: Number(kb) / 1024, cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerS }
}
