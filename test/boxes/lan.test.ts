/** What needs a network of its own. At once: each has its own boxes, and waits most of the time. */
import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { TestContext } from 'vitest'
import { dialAttacks } from '../attack/dials.ts'
import { Untried } from '../attack/scenario.ts'
import type { Box, Lan } from '../support/lan.ts'
import { lanToolsMissing, LanRefused, openLan, run } from '../support/lan.ts'
import { startNodeProcess } from '../support/node-process.ts'
import type { NodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const answers = resolve(import.meta.dirname, '../support/mdns-answers.ts')

/** A missing tool is a fault of CI; that networks may not be made is none. */
async function lanOrSkip(context: TestContext): Promise<Lan> {
  const missing = lanToolsMissing()
  if (missing !== undefined) {
    expect(process.env.CI, missing).not.toBe('true')
    context.skip(missing)
  }
  try {
    return await openLan()
  } catch (error) {
    if (!(error instanceof LanRefused)) throw error
    return context.skip(
      `this user may not make network namespaces (${error.message}); try: sudo ./scripts/test process`,
    )
  }
}

/** As somebody starts it at home: nobody is named, and no private range is allowed. */
function startIn(box: Box): Promise<NodeProcess> {
  const settings = ['listen.host="0.0.0.0"', 'network.mdns=true', 'hosting.heartbeatMs=1000']
  return startNodeProcess(settings, box.within)
}

/** Ids of the nodes that this one is connected to. */
async function peersOf(box: Box, { state }: NodeProcess): Promise<string[]> {
  await sleep(500) // each look is a process
  const home = `HOME=${dirname(state)}`
  const text = await run(box, 'env', home, process.execPath, bin, 'status', '--json', '--state', state)
  const { peers } = JSON.parse(text) as { peers: { node: string; connected: boolean }[] }
  return peers.filter(({ connected }) => connected).map(({ node }) => node)
}

test.concurrent(
  'two boxes on one cable find each other by mDNS, and again after it was cut and both have moved',
  async (context) => {
    await using lan = await lanOrSkip(context)
    const [one, two] = lan.boxes
    await using first = await startIn(one)
    await using second = await startIn(two)
    const together = async (): Promise<boolean> =>
      (await peersOf(one, first)).includes(second.node) && (await peersOf(two, second)).includes(first.node)
    await until(together, 40_000)
    await lan.cut()
    await until(async () => (await peersOf(one, first)).length === 0, 60_000)
    await until(async () => (await peersOf(two, second)).length === 0, 60_000)
    for (const box of lan.boxes) await box.move('192.168.78')
    await until(together, 60_000)
  },
  240_000,
)

test.concurrent('who is not on this network cannot make a node dial into it by mDNS', async (context) => {
  await using lan = await lanOrSkip(context)
  const [one, two] = lan.boxes
  const far = '10.9.9.9'
  await run(two, 'ip address add', `${far}/32`, 'dev', 'lo')
  await using _node = await startIn(one)
  const claims = [`${far}=${two.address}:7001`, `${two.address}=${two.address}:7002`]
  const [program = '', ...args] = [...two.within, process.execPath, answers, one.address, ...claims]
  const liar = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  context.onTestFinished(() => void liar.kill('SIGKILL'))
  const dialled = new Set<string>()
  createInterface({ input: liar.stdout }).on('line', (port) => dialled.add(port))
  await until(() => dialled.has('7002') || liar.exitCode !== null, 40_000)
  expect([...dialled]).toEqual(['7002'])
})

test.concurrent.for(dialAttacks)('an attack fails: $name', async ({ run: attack }, { skip }) => {
  await attack().catch((error: unknown) => {
    if (!(error instanceof Untried)) throw error
    // A missing tool is a fault of CI; that networks may not be made is none.
    if (process.env.CI === 'true') expect(lanToolsMissing()).toBeUndefined()
    skip(error.message)
  })
})
