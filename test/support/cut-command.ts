/** The real command, killed at a call of its choice: it speaks with its node through a door that can end it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Daemon } from '../../daemon/start.ts'
import { statePaths } from '../../daemon/state-folder.ts'
import { commandEnv } from './command-env.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')

/** The first call of this name after that one, or the so manieth of all: before the node has heard of it, or once it did it. */
export interface Cut {
  readonly call: string | number
  readonly past?: string
  readonly when: 'before' | 'after'
}

export interface Ran {
  /** Null where it was killed. */
  readonly status: number | null
  readonly said: string
  readonly json: () => Record<string, unknown>
  /** Names of what it asked of the node, in order. */
  readonly calls: readonly string[]
}

export interface Door extends AsyncDisposable {
  /** `within`: a command in whose place it runs, such as one that sets limits. */
  run(
    home: string,
    args: readonly string[],
    options?: { readonly cut?: Cut; readonly within?: readonly string[] },
  ): Promise<Ran>
}

/** `folder`: where the door's own state folder goes. */
export async function openDoor(daemon: Daemon, state: string, folder: string): Promise<Door> {
  let heard: (call: string) => 'before' | 'after' | undefined = () => undefined
  let kill = (): void => {}
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    const cut = heard(/\/api\/v1\/([\w.-]+)/.exec(request.url ?? '')?.[1] ?? '')
    if (cut === 'before') return kill()
    const answer = await fetch(`${daemon.local}${request.url}`, {
      method: request.method ?? 'GET',
      headers: request.headers as Record<string, string>,
      ...(request.method === 'POST' ? { body: new Uint8Array(body) } : {}),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (cut === 'after') return kill()
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
    response.end(bytes)
  }
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const paths = statePaths(folder)
  mkdirSync(folder, { recursive: true })
  cpSync(statePaths(state).adminToken, paths.adminToken)
  const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(paths.runtime, JSON.stringify({ pid: process.pid, node: daemon.node.id, http }))
  return {
    async run(home, args, { cut, within = [] } = {}) {
      const calls: string[] = []
      heard = (call) => {
        calls.push(call)
        if (cut === undefined) return undefined
        const { call: wanted, past, when } = cut
        const isPast = past === undefined || calls.includes(past)
        return wanted === calls.length || (wanted === call && isPast) ? when : undefined
      }
      const [program, ...rest] = [...within, process.execPath, bin, ...args, '--state', folder]
      const child = spawn(program, rest, { env: { ...commandEnv, HOME: home }, stdio: 'pipe' })
      kill = () => void child.kill('SIGKILL')
      child.stdin.end()
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
      child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
      const [status] = (await once(child, 'close')) as [number | null]
      const json = (): Record<string, unknown> =>
        JSON.parse(stdout.split('\n')[0] || '{}') as Record<string, unknown>
      return { status, said: stdout + stderr, json, calls }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
