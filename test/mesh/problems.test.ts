import { expect, test } from 'vitest'
import type { MissingRelay } from '../../daemon/net/rpc.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { createMesh } from '../support/mesh.ts'

/** A status is summed up once a second. */
const summaryMs = 1_000

test('a disk that is full or fails is told with the way out, and no more once it is well', async () => {
  await using mesh = await createMesh(1)
  const status = () => mesh.wait(mesh.nodes[0]!.call('admin.status', {}))
  expect(await status()).toMatchObject({ healthy: true, problems: [] })
  for (const code of ['STORE_FULL', 'STORE_UNWRITABLE'] as const) {
    const fault = new OnehopError(code, 'the disk is not well: /state', { help: 'Mend it.' })
    mesh.breakDisk(0, fault)
    await expect(
      mesh.wait(mesh.nodes[0]!.store.table('test').put(Uint8Array.of(1), Uint8Array.of(1))),
    ).rejects.toBe(fault)
    await mesh.clock.advance(5 * summaryMs)
    expect(await status()).toMatchObject({
      healthy: false,
      problems: [
        {
          code,
          message: 'Nothing can be written: the disk is not well: /state.',
          help: 'Mend it.',
          sinceMs: expect.toSatisfy((ms: number) => ms >= 5 * summaryMs),
        },
      ],
    })
    mesh.breakDisk(0, undefined)
    await mesh.clock.advance(summaryMs)
    // Though nobody has written since.
    expect(await status()).toMatchObject({ healthy: true, problems: [] })
  }
})

test('a disk with little space is told before it is full', async () => {
  let freeBytes = 256 * 2 ** 20
  await using mesh = await createMesh(1, { freeBytes: () => freeBytes, config: () => ({ store: 'level' }) })
  const status = () => mesh.wait(mesh.nodes[0]!.call('admin.status', {}))
  expect(await status()).toMatchObject({ healthy: true, problems: [], storage: { freeBytes } })
  freeBytes--
  await mesh.clock.advance(summaryMs)
  expect(await status()).toMatchObject({
    healthy: false,
    problems: [{ code: 'LITTLE_SPACE', message: 'The disk has 255 MiB left; the store wants 256.' }],
    storage: { freeBytes },
  })
})

test('a clock that differs from those of most others is told, with what to do', async () => {
  await using mesh = await createMesh(4)
  await mesh.clock.advance(5_000)
  const problems = async (index: number) =>
    (await mesh.wait(mesh.nodes[index]!.call('admin.status', {}))).problems
  expect(await problems(0)).toEqual([])
  mesh.skew(0, -3.5 * 3_600_000)
  await mesh.clock.advance(3 * summaryMs)
  expect(await problems(0)).toMatchObject([
    {
      code: 'CLOCK_WRONG',
      message: 'The clock of this box is 3 hours behind most that it hears (3 of 3).',
      help: expect.stringContaining('timedatectl'),
    },
  ])
  // Whose clock is right is told nothing, though it hears one that is wrong.
  expect(await problems(1)).toEqual([])
  mesh.skew(0, 0)
  await mesh.clock.advance(3 * summaryMs)
  expect(await problems(0)).toEqual([])
})

test('two nodes whose clocks differ cannot tell which is wrong, and say so', async () => {
  await using mesh = await createMesh(2)
  mesh.skew(1, 86_400_000)
  await mesh.clock.advance(5_000)
  const told = async (index: number) =>
    (await mesh.wait(mesh.nodes[index]!.call('admin.status', {}))).problems.map(({ message }) => message)
  const words = 'that of the only other node it hears: one of the two is wrong.'
  expect(await told(0)).toEqual([`The clock of this box is 1 day behind ${words}`])
  expect(await told(1)).toEqual([`The clock of this box is 1 day ahead of ${words}`])
})

test('a node that has met nobody says that it could ask nobody, and where to name one', async () => {
  const unknown = Uint8Array.from({ length: 32 }, () => 7)
  await using mesh = await createMesh(1)
  const asked = [
    mesh.wait(mesh.nodes[0]!.call('identity.recover', { recoveryKey: unknown })),
    mesh.wait(mesh.nodes[0]!.call('identity.get', { identity: unknown })),
  ]
  for (const one of await Promise.allSettled(asked))
    expect(one).toMatchObject({
      reason: {
        code: expect.stringMatching(/NOT_FOUND|UNKNOWN_IDENTITY/),
        message: expect.stringContaining('has met no other'),
        help: expect.stringContaining('network.bootstrap'),
      },
    })
})

test('a relay that gives no place is told with what it answered, and one that is not reached after a while', async () => {
  let missing: readonly MissingRelay[] = []
  await using mesh = await createMesh(1, {
    onJoin: (network) => Object.assign(network, { missingRelays: () => missing }),
  })
  const problems = async () => (await mesh.wait(mesh.nodes[0]!.call('admin.status', {}))).problems
  const relay = 'ab'.repeat(32)
  missing = [{ relay, refusal: undefined, sinceMs: mesh.clock.monotonicMs() }]
  expect(await problems()).toEqual([])
  await mesh.clock.advance(31_000)
  expect(await problems()).toMatchObject([
    { code: 'NO_RELAY', message: expect.stringMatching(/^Node abababababab… .*: it cannot be reached\.$/) },
  ])
  missing = [{ relay, refusal: 'it relays for nobody', sinceMs: mesh.clock.monotonicMs() }]
  await mesh.clock.advance(summaryMs)
  expect(await problems()).toMatchObject([
    {
      message: expect.stringContaining('it relays for nobody'),
      help: expect.stringContaining('network.relays'),
    },
  ])
})
