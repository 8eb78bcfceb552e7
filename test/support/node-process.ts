/** A node as a person runs it: the built command in a process of its own, with a state folder of its own. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { commandEnv } from './command-env.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')

export interface NodeProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly node: string
  readonly state: string
  readonly dashboard: string
  /** Such as `http://127.0.0.1:40123`. */
  readonly http: string
  readonly addresses: readonly string[]
}

/**
 * `settings` as for `--set`. Listens on 127.0.0.1 and any free ports, unless they say otherwise. `within` stands before
 * the command, as what leads into another network.
 */
export async function startNodeProcess(
  settings: readonly string[] = [],
  within: readonly string[] = [],
): Promise<NodeProcess> {
  if (!existsSync(bin)) throw new Error('there is no build: npm run build')
  const home = await mkdtemp(join(tmpdir(), 'onehop-node-'))
  const all = [
    'listen.host="127.0.0.1"',
    'listen.http=0',
    'listen.tcp=0',
    'listen.websocket=0',
    'network.mdns=false',
    ...settings,
  ]
  const state = join(home, 'state')
  const [program = '', ...args] = [
    ...within,
    process.execPath,
    bin,
    'start',
    '--no-pair',
    '--json',
    '--state',
    state,
    ...all.flatMap((setting) => ['--set', setting]),
  ]
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...commandEnv, HOME: home, XDG_CONFIG_HOME: home, XDG_STATE_HOME: home },
  })
  let words = ''
  child.stderr.on('data', (data: Buffer) => {
    words = (words + data.toString()).slice(-4000)
  })
  const ended = once(child, 'exit')
  const close = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    await rm(home, { recursive: true, force: true })
  }
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)])
  if (first === undefined) {
    await rm(home, { recursive: true, force: true })
    throw new Error(`the node did not start: ${words}`)
  }
  const ready = JSON.parse(String(first[0])) as Pick<NodeProcess, 'node' | 'dashboard' | 'http' | 'addresses'>
  const { node, dashboard, http, addresses } = ready
  return { child, node, state, dashboard, http, addresses, [Symbol.asyncDispose]: close }
}
