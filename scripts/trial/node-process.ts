import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findDaemon } from '../../cli/daemon.ts'
import { httpTransport } from '../../client/http.ts'
import type { Transport } from '../../client/transport.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { configOf, type NodePlan } from './plan.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const startWithinMs = 30_000
const stopWithinMs = 10_000
const lookEveryMs = 50

/** One real process, started by this trial and ended by it. */
export class NodeProcess {
  readonly plan: NodePlan
  readonly state: string
  readonly logFile: string
  /** Node id in hex. */
  readonly id: string
  readonly key: Uint8Array
  readonly http: string
  /** Where others find it: a multiaddr with its id. */
  readonly bootstrap: string
  readonly dashboard: string
  readonly phone: string
  /** As the one who runs the node. */
  readonly admin: Transport['call']
  /** As anybody. */
  readonly public: Transport
  readonly #child: ChildProcess

  private constructor(
    plan: NodePlan,
    folder: { readonly state: string; readonly logFile: string },
    child: ChildProcess,
    daemon: NonNullable<Awaited<ReturnType<typeof findDaemon>>>,
  ) {
    const { runtime, call, dashboard } = daemon
    this.plan = plan
    this.state = folder.state
    this.logFile = folder.logFile
    this.id = runtime.node
    this.key = fromHex(runtime.node, 32) as Uint8Array
    this.http = runtime.http
    const tcp = runtime.addresses.find((address) => /^\/ip4\/[^/]+\/tcp\/\d+$/.test(address))
    if (tcp === undefined) throw new Error(`${plan.name} does not say at which TCP address it answers`)
    this.bootstrap = fullAddress(runtime.node, tcp)
    this.dashboard = dashboard
    this.phone = `${runtime.http}/phone/`
    this.admin = call
    this.public = httpTransport({ address: runtime.http })
    this.#child = child
  }

  /** Resolves when the node answers. Throws with the end of its log when it does not start. */
  static async start(
    plan: NodePlan,
    folder: string,
    bootstrap: readonly string[],
    started: (child: ChildProcess) => void,
  ): Promise<NodeProcess> {
    const state = join(folder, plan.name)
    const logFile = join(folder, `${plan.name}.log`)
    const configFile = join(folder, `${plan.name}.json`)
    await mkdir(folder, { recursive: true })
    await writeFile(configFile, JSON.stringify(configOf(plan, state, bootstrap), undefined, 2))
    const log = await open(logFile, 'a')
    const child = spawn(
      process.execPath,
      [bin, 'start', '--no-pair', '--json', '--state', state, '--config', configFile],
      {
        stdio: ['ignore', log.fd, log.fd],
        // Ctrl-C is for the trial, which then ends its nodes in order; and --keep outlives it.
        detached: true,
        env: bareEnvironment(),
      },
    )
    started(child)
    await log.close()
    const deadlineMs = performance.now() + startWithinMs
    while (performance.now() < deadlineMs) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`${plan.name} ended with ${child.signalCode ?? child.exitCode}; see ${logFile}`)
      }
      const daemon = await findDaemon(state)
      if (daemon?.runtime.pid === child.pid && daemon !== undefined) {
        return new NodeProcess(plan, { state, logFile }, child, daemon)
      }
      await sleep(lookEveryMs)
    }
    throw new Error(`${plan.name} did not answer within ${startWithinMs / 1000} s; see ${logFile}`)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await end(this.#child, 'SIGKILL', stopWithinMs)
  }

  /** Ctrl-C, and SIGKILL when that does not help in time; true when it went by itself. */
  async stop(): Promise<boolean> {
    return end(this.#child, 'SIGTERM', stopWithinMs)
  }
}

/** True when the process ended by the first signal. */
export async function end(child: ChildProcess, signal: NodeJS.Signals, withinMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return true
  const exited = once(child, 'exit')
  child.kill(signal)
  const late = Symbol('late')
  const cancel = new AbortController()
  const first = await Promise.race([
    exited,
    sleep(withinMs, late, { signal: cancel.signal }).catch(() => undefined),
  ])
  cancel.abort()
  if (first !== late) return true
  child.kill('SIGKILL')
  await exited
  return false
}

/** Settings of whoever runs the trial must not reach its nodes. */
function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONEHOP_')))
}
