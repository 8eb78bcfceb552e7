import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { httpTransport } from '../../client/http.ts'
import type { Transport } from '../../client/transport.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { statePaths } from '../../daemon/state-folder.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { Answer, Question } from './door.ts'
import type { Hearing } from './schedule.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const door = resolve(import.meta.dirname, 'door.ts')
/** Each box in a part of its own, as copies never share a street. */
const network = '10.77'
const [tcpPort, httpPort] = [4181, 4180]
const startsWithinMs = 60_000
/** A client that hears nothing for so long asks elsewhere. */
const clientPatienceMs = 2_000

const everythingHeard: Hearing = { deafTo: [], refusedBy: [], lossPercent: 0, kbitPerS: undefined }

/** The cable's other end, where clients are. */
export async function openSwitch(): Promise<void> {
  await command('ip', 'link set lo up')
  await command('ip', 'link add switch type bridge')
  await command('ip', `address add ${network}.255.254/16 dev switch`)
  await command('ip', 'link set switch up')
}

/** One box at the switch: a network of its own, and the built command in it. */
export class Box {
  readonly index: number
  readonly state: string
  readonly #door: ChildProcess
  readonly #asked = new Map<number, PromiseWithResolvers<Answer>>()
  /** As apps of the house use it: over the cable, with its weather. */
  readonly app: Transport
  readonly #admin: Transport
  #lastId = 0
  #token: Uint8Array = new Uint8Array()
  #child: ChildProcess | undefined
  #node = ''
  #hearing = everythingHeard
  #words = ''

  private constructor(folder: string, index: number, opened: ChildProcess) {
    this.index = index
    this.state = join(folder, `box-${index}`)
    this.#door = opened
    this.app = httpTransport({
      address: `http://${addressOf(index)}:${httpPort}`,
      timeoutMs: clientPatienceMs,
    })
    this.#admin = httpTransport({
      address: `http://127.0.0.1:${httpPort}`,
      fetch: (url, init) => this.#throughDoor(url, init),
    })
    opened.on('message', (answer: Answer) => {
      this.#asked.get(answer.id)?.resolve(answer)
      this.#asked.delete(answer.id)
    })
    opened.on('exit', () => {
      for (const asked of this.#asked.values()) asked.reject(new Error('the box is gone'))
      this.#asked.clear()
    })
  }

  static async open(folder: string, index: number): Promise<Box> {
    const opened = spawn('unshare', ['--net', ...dyingWithUs, process.execPath, door], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    const box = new Box(folder, index, opened)
    try {
      const first = await Promise.race([once(opened, 'message'), once(opened, 'exit')])
      if ((first[0] as Partial<Answer> | undefined)?.id !== 0) throw new Error('the box has no network')
      const cable = `port${index}`
      await command('ip', `link add ${cable} type veth peer name eth0 netns ${opened.pid}`)
      await command('ip', `link set ${cable} master switch up`)
      await box.#run('ip', 'link set lo up')
      await box.#run('ip', `address add ${addressOf(index)}/16 dev eth0`)
      await box.#run('ip', 'link set eth0 up')
      return box
    } catch (error) {
      await box[Symbol.asyncDispose]()
      throw error
    }
  }

  get node(): string {
    return this.#node
  }

  /** Where other nodes find it. */
  get address(): string {
    return fullAddress(this.#node, `/ip4/${addressOf(this.index)}/tcp/${tcpPort}`)
  }

  /** What its node said last, for whoever looks for the fault. */
  get words(): string {
    return this.#words
  }

  /** As whoever lives there and may read the admin token. */
  readonly call: Transport['call'] = (operation, request, options) =>
    this.#admin.call(operation, request, { ...options, token: this.#token })

  async start(settings: readonly string[]): Promise<void> {
    const all = [
      'listen.host="0.0.0.0"',
      `listen.tcp=${tcpPort}`,
      `listen.http=${httpPort}`,
      'listen.websocket=0',
      `operator="operator of ${addressOf(this.index)}"`,
      `network.announce=["/ip4/${addressOf(this.index)}/tcp/${tcpPort}"]`,
      'network.mdns=false',
      `network.allowDial=["${network}.0.0/16"]`,
      ...settings,
    ]
    const args = [
      'start',
      '--no-pair',
      '--json',
      '--state',
      this.state,
      ...all.flatMap((one) => ['--set', one]),
    ]
    const within = [...this.#within, ...dyingWithUs, process.execPath, bin, ...args]
    const child = spawn('nsenter', within, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of whoever runs this: no settings, no config file.
      env: { PATH: process.env.PATH, HOME: this.state, XDG_CONFIG_HOME: this.state },
    })
    this.#child = child
    child.stderr.on('data', (data: Buffer) => (this.#words = (this.#words + data.toString()).slice(-20_000)))
    const ended = once(child, 'exit').then(() => undefined)
    const first = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(startsWithinMs) }),
      ended,
    ])
    if (first === undefined) throw new Error(`the node did not start: ${this.#words}`)
    this.#node = (JSON.parse(String(first[0])) as { node: string }).node
    this.#token = fromHex(readFileSync(statePaths(this.state).adminToken, 'utf8').trim()) ?? this.#token
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  /** From now on its cable is like this. */
  async hear(hearing: Hearing): Promise<void> {
    const before = this.#hearing
    if (JSON.stringify(before) === JSON.stringify(hearing)) return
    this.#hearing = hearing
    if (hearing.kbitPerS !== before.kbitPerS) {
      if (hearing.kbitPerS === undefined) await this.#run('tc', 'qdisc del dev eth0 root')
      else
        await this.#run(
          'tc',
          `qdisc replace dev eth0 root tbf rate ${hearing.kbitPerS}kbit burst 4kb latency 400ms`,
        )
    }
    await this.#run('nft', '-f -', rulesFor(hearing))
  }

  heal(): Promise<void> {
    return this.hear(everythingHeard)
  }

  /** Its network goes with the last process in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    await this.app.close()
    if (this.#door.exitCode !== null || this.#door.signalCode !== null) return
    const ended = once(this.#door, 'exit')
    this.#door.kill('SIGKILL')
    await ended
  }

  async #throughDoor(url: unknown, init?: RequestInit): Promise<Response> {
    const id = ++this.#lastId
    const asked = Promise.withResolvers<Answer>()
    this.#asked.set(id, asked)
    const headers = init?.headers as Record<string, string>
    const question: Question = { id, url: String(url), headers, body: init?.body as Uint8Array }
    this.#door.send(question, (error) => error && asked.reject(error))
    const { reply } = await asked.promise
    if (reply === undefined) throw new Error('nobody answers there')
    return new Response(reply.body as BodyInit, { status: reply.status })
  }

  get #within(): string[] {
    return ['--target', String(this.#door.pid), '--net']
  }

  #run(program: string, args: string, input?: string): Promise<void> {
    return command('nsenter', [...this.#within, program, args].join(' '), input)
  }
}

/** Stands before a command: whatever becomes of this process, it dies with it. */
const dyingWithUs = ['setpriv', '--pdeathsig', 'KILL']

/** The old table goes and the new one comes in one step. */
function rulesFor({ deafTo, refusedBy, lossPercent }: Hearing): string {
  const set = (boxes: readonly number[]): string => `{ ${boxes.map(addressOf).join(', ')} }`
  return [
    'table inet cable',
    'delete table inet cable',
    'table inet cable {',
    'chain in {',
    'type filter hook input priority 0; policy accept;',
    'iifname "lo" accept', // what refuses comes that way, in the other's name
    ...(deafTo.length > 0 ? [`ip saddr ${set(deafTo)} drop`] : []),
    ...(lossPercent > 0 ? [`iifname "eth0" numgen random mod 100 < ${lossPercent} drop`] : []),
    '}',
    'chain out {',
    'type filter hook output priority 0; policy accept;',
    ...(refusedBy.length > 0 ? [`ip daddr ${set(refusedBy)} meta l4proto tcp reject with tcp reset`] : []),
    '}',
    '}',
    '',
  ].join('\n')
}

function addressOf(index: number): string {
  return `${network}.${index + 1}.1`
}

async function command(program: string, args: string, input = ''): Promise<void> {
  const running = promisify(execFile)(program, args.split(' '))
  running.child.stdin?.on('error', () => {}) // it has ended, which is told below
  running.child.stdin?.end(input)
  await running
}
