import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { boxSecretOf, openBoxSecret, wrapSecret } from '../../protocol/identity/box.ts'
import { append } from '../../protocol/identity/log.ts'
import { createIdentity, deviceFromSeed, rotate } from '../../protocol/identity/make.ts'
import type { BoxState, DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(25)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const device = newDevice()
const { state: one, box: firstBox } = createIdentity(crypto, device)
const { entry, box: secondBox } = rotate(crypto, one, device, newDevice())
const two = append(crypto, one, [entry])

/** A log is checked for its form; what its signer sealed, only who opens it sees. */
function withBox(changes: (box: BoxState) => Partial<BoxState>): IdentityState {
  const [first, second] = two.boxes as [BoxState, BoxState]
  return { ...two, boxes: [first, { ...second, ...changes(second) }] }
}

describe('a box secret', () => {
  it('is wrapped to no key of small order', () => {
    expect(() => wrapSecret(crypto, device, new Uint8Array(32), firstBox.secret)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    )
  })

  it('that is another than the log names, or does not open, is passed over for an older one', () => {
    expect(openBoxSecret(crypto, two, device)).toEqual(secondBox)
    const rewrapped = (secret: Uint8Array): IdentityState =>
      withBox(({ wraps }) => ({
        wraps: new Map(wraps).set(toHex(device.key), {
          recipientEpoch: 0,
          sealed: wrapSecret(crypto, device, device.boxKey, secret),
          senderBoxKey: device.boxKey,
        }),
      }))
    expect(openBoxSecret(crypto, rewrapped(secondBox.secret), device)).toEqual(secondBox)
    expect(openBoxSecret(crypto, rewrapped(crypto.random(32)), device)).toEqual(firstBox)
    const garbled = withBox(({ wraps }) => ({
      wraps: new Map(wraps).set(toHex(device.key), {
        recipientEpoch: 0,
        sealed: new Uint8Array(72),
        senderBoxKey: device.boxKey,
      }),
    }))
    expect(openBoxSecret(crypto, garbled, device)).toEqual(firstBox)
  })

  it('opens none before an epoch without a chain, or before the first', () => {
    expect(boxSecretOf(crypto, two, secondBox, 1)).toEqual(firstBox.secret)
    const broken = withBox(() => ({ chain: undefined }))
    expect(boxSecretOf(crypto, broken, secondBox, 1)).toBeUndefined()
    expect(boxSecretOf(crypto, two, firstBox, 0)).toBeUndefined()
  })
})
