/** Nodes that are seldom on for long: how long another was away is counted over all of their runs, and never while they were off or cut off themselves. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const yearMs = 365 * 86_400_000
/** Of a minute after which a seat is taken. */
const shortMs = 25_000

/** Ada's shard at her home and two others, two stand by; `lost` is one of the two, `observers` are who may vote it out. */
async function story() {
  const mesh = await createMesh(5, {
    config: () => ({ hosting: { suspectAfterMs: 10_000, replaceAfterMs: 60_000 } }),
  })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 2))).toBe(3)
  await mesh.wait(ada.put(home, 'posts', { text: 'hello' }))
  await mesh.clock.advance(30_000)
  const members = async (index = 0): Promise<string[]> => {
    const { hosted } = await mesh.wait((mesh.nodes[index] as MeshNode).call('admin.status', {}))
    return (hosted[0]?.replicas ?? []).map(({ node }) => toHex(node))
  }
  const seated = await members()
  const [kept, lost] = mesh.nodes.filter(({ id }) => seated.includes(id)).map(({ index }) => index)
  const observers = [0, kept as number]
  let runs = 0
  const restart = async (how?: 'crashed'): Promise<void> => {
    runs++
    for (const index of observers) await mesh.close(index, how)
    await mesh.clock.advance(shortMs)
    for (const index of observers) {
      // The clocks of boxes without a battery.
      mesh.skew(index, (runs % 2) * (index === 0 ? 5 : -5) * yearMs)
      await mesh.open(index)
    }
  }
  const has = async (index: number): Promise<boolean> => {
    const all = [(mesh.nodes[0] as MeshNode).id, ...(await members())]
    return all.includes((mesh.nodes[index] as MeshNode).id)
  }
  return { mesh, ada, lost: lost as number, kept: kept as number, observers, restart, has }
}

test.for(['closed', 'crashed'] as const)(
  'one that left is replaced by those that are never on for so long in a row, however they are %s',
  async (how) => {
    const { mesh, lost, restart, has } = await story()
    await using _ = mesh
    await mesh.close(lost)
    await mesh.clock.advance(shortMs)
    for (let run = 0; run < 2; run++) {
      await restart(how === 'crashed' ? how : undefined)
      // Not for their own time off, which makes it more than a minute.
      expect(await has(lost)).toBe(true)
      await mesh.clock.advance(shortMs)
    }
    await mesh.until(async () => !(await has(lost)), shortMs)
  },
)

test('who was cut off itself holds that against nobody', async () => {
  const { mesh, lost, observers, has } = await story()
  await using _ = mesh
  await mesh.close(lost)
  await mesh.clock.advance(30_000)
  const cut = observers.map((index) => (mesh.nodes[index] as MeshNode).id)
  mesh.holdBack((from, to) => cut.includes(from) || cut.includes(to))
  await mesh.clock.advance(300_000)
  mesh.holdBack(undefined)
  await mesh.clock.advance(15_000)
  expect(await has(lost)).toBe(true)
  await mesh.until(async () => !(await has(lost)), 30_000)
})

test.for(['closed', 'crashed'] as const)(
  'once it is heard it is counted anew, also after a restart of those that are %s',
  async (how) => {
    const { mesh, lost, restart, has } = await story()
    await using _ = mesh
    const isOff = how === 'crashed' ? how : undefined
    await mesh.close(lost)
    await mesh.clock.advance(shortMs)
    await restart(isOff)
    await mesh.clock.advance(shortMs)
    await mesh.open(lost)
    await mesh.clock.advance(4_000)
    await mesh.close(lost)
    for (let run = 0; run < 2; run++) {
      await restart(isOff)
      await mesh.clock.advance(shortMs)
      expect(await has(lost)).toBe(true)
    }
    await restart(isOff)
    await mesh.until(async () => !(await has(lost)), shortMs)
  },
)
