/** What the command line admits is kept when the node took it. */
import { expect, test } from 'vitest'
import { memoryKeyStore, openIdentity, systemClock } from '../../client/index.ts'
import { makeIdentity } from '../../client/identity/identity.ts'
import type { Identity } from '../../client/identity/identity.ts'
import { moveIn } from '../../cli/move-in.ts'
import { createOutput } from '../../cli/output.ts'
import { followPairing } from '../../cli/pairing-screen.ts'
import type { Context } from '../../cli/command.ts'
import type { Daemon } from '../../cli/daemon.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(31)
const stream = { isTTY: false, write: () => undefined }
const output = createOutput({ json: true, stdout: stream, stderr: stream, environment: {} })
const { signal } = new AbortController()

/** Somebody at a command line, and a key that wants to be let in. */
async function start(role: 'node' | 'app') {
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto })
  const other = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, identity.id, other, role)
  const kept = async (): Promise<readonly string[]> =>
    [...(await openIdentity({ keys, crypto }))!.state.devices.values()].map((device) => device.role)
  return { keys, identity, other, possession, kept }
}

type Handlers = Readonly<Record<string, (request: never) => unknown>>

const callOf = (handlers: Handlers): Daemon['call'] =>
  (async (operation: string, request: never) => handlers[operation]?.(request)) as unknown as Daemon['call']

test('a phone that the node does not admit is not kept', async () => {
  const { identity, other, possession, kept } = await start('app')
  let refusal: OnehopError | undefined = new OnehopError('BUSY', 'too many entries today')
  let state = 'awaiting-admission'
  const call = callOf({
    'admin.pair.show': () => ({
      qr: null,
      pairing: { state, reason: null, pending: { device: other.key, box: other.boxKey, possession } },
    }),
    'identity.get': () => ({ log: identity.log(), people: [] }),
    'admin.pair.admit'() {
      if (refusal !== undefined) throw refusal
      state = 'paired'
    },
  })
  const follow = (of: Identity) =>
    followPairing({
      ...{ call, output, signal, clock: systemClock, stdin: process.stdin },
      ...{ asks: false, identity: of, capabilities: [] },
    })
  await expect(follow(identity)).rejects.toMatchObject({ code: 'BUSY' })
  expect(await kept()).toEqual(['owner'])
  refusal = undefined
  await follow(identity)
  expect(await kept()).toEqual(['owner', 'app'])
})

test('a node that does not host its person is not kept', async () => {
  const { keys, identity, other, possession, kept } = await start('node')
  const call = callOf({
    'admin.prove': () => ({ node: other.key, box: other.boxKey, possession }),
    'admin.host.add': () => ({ results: [{ identity: null, code: 'TOO_LARGE', message: 'too long' }] }),
  })
  const context = { signal, keys: () => keys } as unknown as Context
  const daemon = { call } as unknown as Daemon
  await expect(moveIn({ context, output }, daemon, identity)).rejects.toThrow('too long')
  expect(await kept()).toEqual(['owner'])
})
