import { expect, test } from 'vitest'
import { makeIdentity, openIdentity } from '../../client/identity/identity.ts'
import { memoryKeyStore } from '../../client/key-store.ts'
import { renewDevice, type RenewalParts } from '../../client/identity/renewal.ts'
import { Writer } from '../../client/writer.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DraftSection } from '../../protocol/record/types.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { seededCrypto } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = seededCrypto(12)
const group = new Uint8Array(32).fill(7)
const groupKey = new Uint8Array(32).fill(8)

const open: DraftSection = { audience: 'public', heights: {}, fields: { text: 'x' } }
const sealed: DraftSection = {
  audience: { group },
  heights: {},
  fields: { minutes: 'y' },
  sealing: { epoch: 1, key: groupKey },
}

const openingWith = (key: Uint8Array | undefined): RenewalParts['sealing'] => ({
  open: (record, index) => {
    const fields = openSection(crypto, record, index, key)
    const isPublic = record.header.sections[index]?.audience === 'public'
    return fields && { fields, key: isPublic ? undefined : key }
  },
})

/** An install with these records waiting, and what a renewal of its key needs. */
async function install(...waiting: DraftSection[][]) {
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto })
  const writer = new Writer({ keys, crypto, clock: createVirtualClock(), identity, offsetMs: () => 0 })
  const written = await writer.write(
    waiting.map((sections) => () => ({
      owner: identity.id,
      app: 'a',
      collection: 'c',
      key: new Uint8Array(0),
      merge: 'append' as const,
      operation: 'put' as const,
      schema: new Uint8Array(32),
      expiresMs: undefined,
      sections,
    })),
  )
  const parts: RenewalParts = {
    keys,
    crypto,
    identity,
    sealing: openingWith(groupKey),
    learn: async () => undefined,
    heldAfter: async () => [],
    publish: async () => undefined,
    stop: async () => undefined,
  }
  const waits = async () => {
    const bytes = await Promise.all((await keys.list('outbox/')).map((name) => keys.get(name)))
    return bytes.map((one) => decodeRecord(crypto, one as Uint8Array).header)
  }
  return { keys, identity, written, parts, waits }
}

test('what a node has already is not signed a second time', async () => {
  const { written, parts, waits } = await install([open], [open], [open])
  const asked: number[] = []
  const heldAfter: RenewalParts['heldAfter'] = async (_, number) => {
    asked.push(number)
    return [written[1]!.record.id]
  }
  const { device, records, left } = await renewDevice({ ...parts, heldAfter })
  expect([asked, records, left]).toEqual([[0], 2, 0])
  const headers = await waits()
  expect(headers.map(({ number }) => number)).toEqual([1, 2])
  expect(headers.every((header) => equalBytes(header.device, device))).toBe(true)
})

test('a node that does not say what it has holds nothing up', async () => {
  const { parts } = await install([open])
  const heldAfter = () => Promise.reject(new OnehopError('UNREACHABLE', 'nobody answers'))
  expect(await renewDevice({ ...parts, heldAfter })).toMatchObject({ records: 1 })
  const { parts: others } = await install([open])
  const broken = () => Promise.reject(new TypeError('a fault of ours'))
  await expect(renewDevice({ ...others, heldAfter: broken })).rejects.toThrow(TypeError)
})

test('cut short after the new key was admitted, it goes on with that one', async () => {
  const { keys, identity, parts, waits } = await install([open])
  const publish = () => Promise.reject(new OnehopError('UNREACHABLE', 'nobody answers'))
  await expect(renewDevice({ ...parts, publish })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(await waits()).toMatchObject([{ device: identity.device.key }])
  expect(identity.state.devices.size).toBe(2)
  const { device } = await renewDevice(parts)
  expect([...identity.state.devices.keys()]).toEqual([toHex(identity.device.key), toHex(device)])
  expect(await keys.get('next-device')).toBeUndefined()
})

test('asked for in two tabs, the second finds it done and uses no number again', async () => {
  const { keys, identity, parts, waits } = await install([open], [open])
  const other = (await openIdentity({ keys, crypto }))!
  const both = await Promise.allSettled([renewDevice(parts), renewDevice({ ...parts, identity: other })])
  expect(both).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'STALE' } }])
  expect((await waits()).map(({ number }) => number)).toEqual([1, 2])
  const renewed = (await openIdentity({ keys, crypto }))!
  expect(renewed.device.key).not.toEqual(identity.device.key)
  const writer = new Writer({
    keys,
    crypto,
    clock: createVirtualClock(),
    identity: renewed,
    offsetMs: () => 0,
  })
  expect(await writer.lastNumber(renewed.id)).toBe(2)
})

test('what cannot be opened is given up only when that was asked for', async () => {
  const { identity, parts, waits } = await install([open], [open, sealed], [open])
  const shut = {
    ...parts,
    sealing: openingWith(undefined),
    learn: () => Promise.reject(new OnehopError('FORBIDDEN', 'no member')),
  }
  await expect(renewDevice(shut)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    help: expect.stringContaining('--leave-sealed'),
  })
  expect([identity.state.devices.size, (await waits()).length]).toEqual([1, 3])
  expect(await renewDevice(shut, { leaveSealed: true })).toMatchObject({ records: 2, left: 1 })
  expect(await waits()).toHaveLength(2)
})

test('what is sealed is opened and sealed anew, as the seal is bound to the key', async () => {
  const { parts, waits } = await install([open, sealed])
  expect(await renewDevice(parts)).toMatchObject({ records: 1, left: 0 })
  expect((await waits())[0]?.sections).toMatchObject([
    { audience: 'public' },
    { audience: { group }, epoch: 1 },
  ])
})
