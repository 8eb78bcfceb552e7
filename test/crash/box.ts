import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findDaemon, type Daemon } from '../../cli/daemon.ts'
import type { Transport } from '../../client/transport.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const startsWithinMs = 60_000

/** Nobody else's: while the box is down no other test may be given its port. */
const host = (index: number): string => `127.8.${index + 1}.1`

/** One box: the built command on a state folder that outlives it, at an address that stays. */
export class Box {
  readonly state: string
  readonly #host: string
  readonly #port: number
  readonly #bootstrap: readonly string[]
  #child: ChildProcess | undefined
  #daemon: Daemon | undefined
  #words = ''

  private constructor(folder: string, index: number, port: number, bootstrap: readonly string[]) {
    this.state = join(folder, `box-${index}`)
    this.#host = host(index)
    this.#port = port
    this.#bootstrap = bootstrap
  }

  /** `first`: whom it asks who else is there. */
  static async make(folder: string, index: number, first?: Box): Promise<Box> {
    const port = await freePort(host(index))
    return new Box(folder, index, port, first === undefined ? [] : [first.address])
  }

  get address(): string {
    return fullAddress(this.node, `/ip4/${this.#host}/tcp/${this.#port}`)
  }

  get node(): string {
    if (this.#daemon === undefined) throw new Error('the box never ran')
    return this.#daemon.runtime.node
  }

  /** Of the process that runs. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  readonly call: Transport['call'] = (operation, request, options) => {
    if (this.#daemon === undefined) throw new Error('the box does not run')
    return this.#daemon.call(operation, request, options)
  }

  /** Seconds until it answers. */
  async start(): Promise<number> {
    const startMs = performance.now()
    const settings = [
      `listen.host="${this.#host}"`,
      `listen.tcp=${this.#port}`,
      'listen.http=0',
      'listen.websocket=0',
      `operator="operator of ${this.#host}"`,
      'network.mdns=false',
      'network.allowDial=["127.0.0.0/8"]',
      `network.bootstrap=${JSON.stringify(this.#bootstrap)}`,
      'hosting.offerTo="anyone"',
      'hosting.heartbeatMs=500',
      'hosting.reconcileEveryMs=5000',
    ]
    const args = settings.flatMap((setting) => ['--set', setting])
    const child = spawn(
      process.execPath,
      [bin, 'start', '--no-pair', '--json', '--state', this.state, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    this.#child = child
    this.#words = ''
    child.stderr.on('data', (data: Buffer) => (this.#words = (this.#words + data.toString()).slice(-4_000)))
    const ended = once(child, 'exit').then(() => undefined)
    const first = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended, late()])
    if (first === undefined) throw new Error(`the box did not start: ${this.#words}`)
    this.#daemon = await findDaemon(this.state)
    if (this.#daemon === undefined) throw new Error('the box started, and nobody answers there')
    return (performance.now() - startMs) / 1_000
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

async function late(): Promise<undefined> {
  await sleep(startsWithinMs, undefined, { ref: false })
}

async function freePort(host: string): Promise<number> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
