/**
 * Two boxes and a cable between them: Linux network namespaces with private addresses, of which the machine's own network
 * sees nothing. Each hangs on a process that ends when its input does, so nothing stays even when a test is killed.
 */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { findDebian } from '../../scripts/debian.ts'

/** Private, and of no network that a machine is likely to be in. */
const firstNetwork = '192.168.77'

export interface Box {
  readonly address: string
  /** What stands before a command that runs in the box; the command dies with whoever started it. */
  readonly within: readonly string[]
  /** Gives the box another address in place of the one it had, as a new router would. */
  move(network: string): Promise<void>
}

export interface Lan extends AsyncDisposable {
  readonly boxes: readonly [Box, Box]
  /** Both sides lose their carrier. */
  cut(): Promise<void>
  plug(): Promise<void>
}

/** The machine does not let this user make networks: nothing that a test could mend. */
export class LanRefused extends Error {}

/** Why there can be none; undefined where the tools are. They are installed where that is possible. */
export function lanToolsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux alone'
  const tools = { ip: 'iproute2', unshare: 'util-linux', nsenter: 'util-linux', setpriv: 'util-linux' }
  for (const [tool, debianPackage] of Object.entries(tools)) {
    const found = findDebian(tool, debianPackage)
    if (!found.found) return `${tool} is missing. ${found.help}`
  }
  return undefined
}

/** Throws LanRefused. */
export async function openLan(): Promise<Lan> {
  await using opened = new AsyncDisposableStack()
  const hold = async (command: readonly string[]): Promise<number> => {
    const holder = await holdNamespace(command)
    opened.defer(async () => {
      holder.stdin?.end()
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit')
    })
    return holder.pid as number
  }
  // Within a user namespace of its own, so that it needs no root; the second box in the first one's.
  const first = await hold(['unshare', '--user', '--map-root-user', '--net'])
  const second = await hold([...enter(first), 'unshare', '--net'])
  const one = createBox(first, 1)
  const two = createBox(second, 2)
  await run(one, 'ip link add eth0 type veth peer name eth0 netns', String(second)).catch(
    (error: unknown) => {
      throw new LanRefused(String(error), { cause: error })
    },
  )
  for (const box of [one, two]) {
    await run(box, 'ip link set lo up')
    await box.move(firstNetwork)
  }
  const running = opened.move()
  return {
    boxes: [one, two],
    async cut() {
      for (const box of [one, two]) await run(box, 'ip link set eth0 down')
    },
    async plug() {
      for (const box of [one, two]) await raise(box)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Runs a command in the box and returns what it said. */
export async function run(box: Box, command: string, ...more: readonly string[]): Promise<string> {
  const [program = '', ...args] = [...box.within, ...command.split(' '), ...more]
  const { stdout } = await promisify(execFile)(program, args, { env: environment() })
  return stdout
}

function createBox(pid: number, number: number): Box {
  let address = ''
  const box: Box = {
    get address() {
      return address
    },
    within: [...enter(pid), 'setpriv', '--pdeathsig', 'KILL'],
    async move(network) {
      address = `${network}.${number}`
      await run(box, 'ip address flush dev eth0')
      await run(box, 'ip address add', `${address}/24`, 'dev', 'eth0')
      await raise(box)
    },
  }
  return box
}

/** A home has a router, and multicast goes where the default route does. This one leads nowhere. */
async function raise(box: Box): Promise<void> {
  await run(box, 'ip link set eth0 up')
  await run(box, 'ip route replace default dev eth0')
}

function enter(pid: number): string[] {
  return ['nsenter', '--target', String(pid), '--user', '--preserve-credentials', '--net']
}

/** Resolves when the namespace is there: `cat` runs in it, and says what it is told. */
async function holdNamespace(command: readonly string[]): Promise<ChildProcess> {
  const [program, ...args] = [...command, 'cat']
  const holder = spawn(program, args, { stdio: 'pipe', env: environment() })
  let words = ''
  holder.stderr.on('data', (data: Buffer) => (words += data.toString()))
  holder.stdin.on('error', () => {}) // it has ended, which is told below
  holder.stdin.write('\n')
  const ended = once(holder, 'close').then(() => {
    throw new LanRefused(words.trim() || `${program} ended`)
  })
  await Promise.race([once(holder.stdout, 'data'), ended])
  ended.catch(() => {})
  return holder
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' }
}
