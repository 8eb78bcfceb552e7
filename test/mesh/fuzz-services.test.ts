import { expect, test } from 'vitest'
import { fuzz, type Target } from '../fuzz/fuzzer.ts'
import { replayOf } from '../fuzz/replay.ts'
import { neverTaken, openServices } from '../fuzz/services.ts'
import { openWires } from '../fuzz/wires.ts'

/** A minute at most on a machine that does other things. */
const slow = { timeout: 180_000 }

async function tried(targets: readonly Target[], inputs: number) {
  const faults: string[] = []
  const untaken: string[] = []
  for (const target of targets) {
    const result = await fuzz(target, { seed: 1, inputs })
    faults.push(...result.faults.map(replayOf))
    if (result.taken === 0) untaken.push(target.name)
  }
  return { faults, untaken }
}

test(
  'whatever other nodes and apps ask: an answer or a refusal, quickly, and not much for strangers',
  slow,
  async () => {
    await using services = await openServices()
    expect(services.methods.length).toBeGreaterThan(20)
    expect(services.targets.filter(({ seeds }) => seeds.length === 0)).toEqual([])
    const { faults, untaken } = await tried(services.targets, 600)
    expect(faults).toEqual([])
    // Were all refused at the door, nothing behind it would have been tried.
    expect(untaken.filter((name) => !neverTaken.includes(name))).toEqual([])
  },
)

test('whatever comes over HTTP and a WebSocket: the same', slow, async () => {
  await using wires = await openWires()
  const { faults, untaken } = await tried(wires.targets, 1_000)
  expect(faults).toEqual([])
  expect(untaken).toEqual([])
})
