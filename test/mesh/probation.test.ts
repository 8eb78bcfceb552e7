import { expect, test } from 'vitest'
import { append } from '../../protocol/identity/log.ts'
import { deviceFromSeed, revokeDevice, vouch } from '../../protocol/identity/make.ts'
import type { SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { admitFresh } from '../support/fresh-device.ts'

const hour = 3_600_000

test('a fresh device lets nobody in and shuts nobody out for a day', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await admitFresh()
  await using _ = mesh
  await expect(put(admit(state, fresh, third))).rejects.toThrow('for 24 h')
  await expect(put(revokeDevice(crypto, state, fresh, device.key, []).entry)).rejects.toThrow(
    'adds and revokes nothing',
  )
  await mesh.clock.advance(23.5 * hour)
  await expect(put(admit(state, fresh, third))).rejects.toThrow('for 1 h')
  await mesh.clock.advance(hour)
  await put(admit(state, fresh, third))
})

test('an older one vouches for it before, and it may always leave', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await admitFresh()
  await using _ = mesh
  const vouched = vouch(crypto, state, device, fresh.key)
  await put(vouched)
  const trusted = append(crypto, state, [vouched])
  await put(admit(trusted, fresh, third))
  const three = append(crypto, trusted, [admit(trusted, fresh, third)])
  expect(three.devices.size).toBe(3)
})

test('a device that was let in by a fresh one in the same breath is held back too', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await admitFresh()
  await using _ = mesh
  const vouching = vouch(crypto, state, device, fresh.key)
  const two = append(crypto, state, [vouching])
  const entry = admit(two, fresh, third)
  const three = append(crypto, two, [entry])
  const attack = revokeDevice(crypto, three, third, device.key, []).entry
  await expect(put(vouching, entry, attack)).rejects.toThrow('adds and revokes nothing')
  await put(vouching, entry)
  await put(revokeDevice(crypto, three, third, third.key, []).entry)
})

test('whoever has a device cannot fill the log in a day; revoking is never refused for it', async () => {
  const { mesh, crypto, put, admit, device, fresh, state } = await admitFresh()
  await using _ = mesh
  let now = state
  const another = (): SignedEntry => admit(now, device, deviceFromSeed(crypto, crypto.random(32)))
  // The one on probation was the first of the day.
  for (let i = 1; i < limits.identityEntriesPerDayMax; i++) {
    const entry = another()
    await put(entry)
    now = append(crypto, now, [entry])
  }
  await expect(put(another())).rejects.toMatchObject({ code: 'BUSY', help: expect.stringContaining('24 h') })
  const { entry } = revokeDevice(crypto, now, device, fresh.key, [])
  await put(entry)
  now = append(crypto, now, [entry])
  await expect(put(another())).rejects.toMatchObject({ code: 'BUSY' })
  await mesh.clock.advance(24 * hour)
  await put(another())
})
