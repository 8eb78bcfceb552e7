import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pair } from '../../client/identity/pairing.ts'
import { memoryKeyStore } from '../../client/key-store.ts'
import { commandEnv } from '../support/command-env.ts'
import { openTerminal, terminalMissing, type Terminal } from '../support/terminal.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const missing = terminalMissing()
if (missing !== undefined) process.stderr.write(`skipped: ${missing}\n`)

let home: string

function environment(): NodeJS.ProcessEnv {
  return {
    ...commandEnv,
    HOME: home,
    ONEHOP_SET_LISTEN__HOST: '127.0.0.1',
    ONEHOP_SET_LISTEN__HTTP: '0',
    ONEHOP_SET_LISTEN__TCP: '0',
    ONEHOP_SET_LISTEN__WEBSOCKET: '0',
    ONEHOP_SET_NETWORK__MDNS: 'false',
  }
}

function status(): Record<string, unknown> {
  const { stdout } = spawnSync(process.execPath, [bin, 'status', '--json'], {
    encoding: 'utf8',
    env: environment(),
  })
  return JSON.parse(stdout) as Record<string, unknown>
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'onehop-first-'))
})

afterEach(() => rmSync(home, { recursive: true, force: true }))

/** As a person does: reads the 24 words, and types back the two that are asked for. */
async function takeWords(terminal: Terminal): Promise<void> {
  await until(() => terminal.shown().includes('Press Enter when they are written down'), 60_000)
  const [, grid = ''] = terminal.shown().split('in this order:')
  const words = new Map(
    [...grid.matchAll(/(\d+) ([a-z]+)/g)].map(([, number, word]) => [Number(number), word]),
  )
  expect(words.size).toBe(24)
  terminal.type('\n')
  for (const nth of [1, 2]) {
    const asked = (): RegExpExecArray[] => [...terminal.shown().matchAll(/Word (\d+): /g)]
    await until(() => asked().length >= nth, 60_000)
    terminal.type(`${words.get(Number(asked()[nth - 1]?.[1]))}\n`)
  }
}

describe.skipIf(missing !== undefined)('at a terminal', () => {
  test('a fresh node asks who lives here, hosts them, and then shows the QR; started again it asks no more', async () => {
    {
      await using first = openTerminal([process.execPath, bin, 'start'], environment())
      await until(() => first.shown().includes('Your name'), 60_000)
      expect(first.shown()).not.toContain('Pair a phone with this node')
      first.type('Ada\n')
      await takeWords(first)
      await until(() => first.shown().includes('Pair a phone with this node'), 60_000)
      expect(first.shown()).toMatch(/You are Ada[^]*This node hosts you now/)
      expect(status()).toMatchObject({ people: 1, hosted: [{ label: 'Ada', person: true }] })
      first.type('\u0003')
      expect(await first.ended).toBe(0)
    }
    await using second = openTerminal([process.execPath, bin, 'start'], environment())
    await until(() => second.shown().includes('Pair a phone with this node'), 60_000)
    expect(second.shown()).not.toContain('Nobody lives')
  })

  test('Enter skips it, and Ctrl-C at the question closes the node', async () => {
    {
      await using skipped = openTerminal([process.execPath, bin, 'start'], environment())
      await until(() => skipped.shown().includes('Your name'), 60_000)
      skipped.type('\n')
      await until(() => skipped.shown().includes('Pair a phone with this node'), 60_000)
      expect(skipped.shown()).toContain('onehop init --user NAME')
      expect(status()).toMatchObject({ people: 0 })
    }
    await using left = openTerminal([process.execPath, bin, 'start'], environment())
    await until(() => left.shown().includes('Your name'), 60_000)
    left.type('\u0003')
    expect(await left.ended).toBe(0)
  })
})

test('without a terminal the one command to run first stands before the QR; a phone that needs it is told', async () => {
  const child = spawn(process.execPath, [bin, 'start'], { env: environment() })
  try {
    let words = ''
    child.stderr.on('data', (part: Buffer) => (words += part.toString()))
    await until(() => words.includes('Pair a phone with this node'), 60_000)
    expect(words).toMatch(/Nobody lives on this node yet[^]*onehop init --user NAME[^]*Pair a phone/)
    const link = /http:\S+\/phone\/#p=\S+/.exec(words)?.[0] ?? ''
    await expect(pair(link, { keys: memoryKeyStore(), role: 'app', label: 'Tablet' })).rejects.toMatchObject({
      code: 'PAIRING_BURNT',
      message: expect.stringContaining('onehop init --user NAME'),
    })
    await until(() => words.includes('No phone was paired'), 60_000)
    expect(words).toMatch(/nobody lives on this node yet who could admit the phone/)
  } finally {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
  }
})
