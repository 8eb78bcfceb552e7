import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decoders, notByThemselves } from '../fuzz/decoders.ts'
import { replayOf } from '../fuzz/replay.ts'
import { check, Fault, fuzz, type Target } from '../fuzz/fuzzer.ts'
import { growTree, writeTree } from '../fuzz/tree.ts'

/** Half a minute of processor time for all of them; the bound is for a machine that does other things. */
const slow = { timeout: 120_000 }

test('the table names every decoder there is', () => {
  const root = join(import.meta.dirname, '../../protocol')
  const names = /^export (?:async )?function ((?:decode|parse|read|open|unpack|verify\w*Proof)\w*)[<(]/gm
  const found = globSync('**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(names)].map((match) => `${file}:${match[1]}`),
  )
  const named = new Set([...decoders.flatMap(({ covers }) => covers), ...Object.keys(notByThemselves)])
  expect(found.length).toBeGreaterThan(60)
  expect(found.filter((name) => !named.has(name))).toEqual([])
  const sources = new Map<string, string>()
  const isThere = (name: string): boolean => {
    const [file, called] = name.split(':') as [string, string]
    const source = sources.get(file) ?? readFileSync(join(root, file), 'utf8')
    sources.set(file, source)
    return new RegExp(`^export (async )?function ${called}\\b`, 'm').test(source)
  }
  expect([...named].filter((name) => !isThere(name))).toEqual([])
})

/** A checksum turns nearly all of its inputs away. */
const seldomTaken = 'identity/slip39/share.decodeShare'

test.each(decoders)('$name', slow, async (target) => {
  const { faults, taken } = await fuzz(target, {
    seed: 1,
    inputs: target.name === seldomTaken ? 20_000 : 5_000,
  })
  expect(faults.map(replayOf)).toEqual([])
  // Were all of them refused at the door, nothing behind it would have been tried.
  expect(taken).toBeGreaterThan(20)
})

test.each(decoders)('$name: its seeds are what they were after growing and writing them', ({ seeds }) => {
  for (const seed of seeds) {
    const tree = growTree(seed)
    // Longer heads than need be are among the seeds, and become short.
    if (tree !== undefined) expect(writeTree(tree).length).toBeLessThanOrEqual(seed.length)
  }
  const same = seeds.filter((seed) => {
    const tree = growTree(seed)
    return tree !== undefined && Buffer.compare(writeTree(tree), seed) === 0
  })
  expect(growTree(seeds[0] as Uint8Array) === undefined || same.length > 0).toBe(true)
})

test('what must not be is found', async () => {
  const faulty: Target = {
    name: 'faulty',
    seeds: [Uint8Array.of(0x83, 1, 2, 3)],
    run(input) {
      if (input.length === 5) throw new TypeError('a fault')
      if (input.length === 6) throw new Fault('two forms')
      return true
    },
  }
  const { faults } = await fuzz(faulty, { seed: 1, inputs: 2_000 })
  const problems = faults.map(({ problem }) => problem).join()
  expect(problems).toContain('two forms')
  expect(problems).toContain('uncaught TypeError: a fault')
})

function busy(cpuMs: number): void {
  const before = process.threadCpuUsage()
  const spentMs = (): number => {
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1000
  }
  while (spentMs() < cpuMs);
}

test('a call that takes too long counts when it does so alone', async () => {
  let calls = 0
  const run = (input: Uint8Array): boolean => {
    calls++
    if (input[0] === 1 || calls === 1) busy(60)
    return true
  }
  const target = { name: 'slow', seeds: [], run }
  expect((await check(target, Uint8Array.of(0), { ms: 0 })).problem).toBeUndefined()
  expect((await check(target, Uint8Array.of(1), { ms: 0 })).problem).toMatch(/processor time/)
})

test('what goes on around a call that waits is not its own', async () => {
  let elapsedMs = 0
  const pass = async (ms: number): Promise<void> => {
    busy(80)
    elapsedMs += ms
  }
  const waiting: Target = {
    name: 'waiting',
    seeds: [],
    world: { elapsedMs: () => elapsedMs, pass },
    async run(input) {
      if (input[0] === 1) busy(70)
      await pass(25_000)
      return true
    },
  }
  expect((await check(waiting, Uint8Array.of(0), { ms: 0 })).problem).toBeUndefined()
  expect((await check(waiting, Uint8Array.of(1), { ms: 0 })).problem).toMatch(/processor time/)
})
