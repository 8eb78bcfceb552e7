/** A database that is opened anew, as after a full disk, answers nothing for a moment. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Log } from '../../protocol/ports.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

test('a store that cannot be read for some seconds ends nothing of what a node does by itself', async () => {
  const failed: unknown[] = []
  const note = (event: string, fields?: Record<string, unknown>): void => {
    if (event === 'task.failed') failed.push(fields?.['task'])
  }
  const log: Log = { debug: note, info: note, warn: note, error: note }
  const hosting = { heartbeatMs: 500, reconcileEveryMs: 2_000 }
  await using mesh = await createMesh(3, { log: () => log, config: () => ({ hosting }) })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 2))).toBe(3)
  const unreadable = async (): Promise<void> => {
    for (const { index } of mesh.nodes)
      mesh.breakReads(index, new OnehopError('BUSY', 'the store is being opened anew'))
    await mesh.clock.advance(8_000)
    for (const { index } of mesh.nodes) mesh.breakReads(index, undefined)
    await mesh.clock.advance(8_000)
  }
  await unreadable()
  const first = failed.splice(0)
  expect(first).not.toEqual([])
  await mesh.wait(ada.put(home, 'posts', { text: 'after' }))
  await mesh.until(() => mesh.nodes.every(({ store }) => store.shards.get(ada.id)?.records === 1), 60_000)
  // They run: else nothing of them could fail a second time.
  await mesh.wait(new Resident(mesh, microblog).moveIn(home))
  await unreadable()
  expect(failed).toEqual(expect.arrayContaining(first))
})
