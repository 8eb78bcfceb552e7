import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { wrapSecret } from '../../protocol/identity/box.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
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
function withBox(
  changes: (box: BoxState) => Partial<BoxState>,
  ofFirst: () => Partial<BoxState> = () => ({}),
): IdentityState {
  const [first, second] = two.boxes as [BoxState, BoxState]
  return {
    ...two,
    boxes: [
      { ...first, ...ofFirst() },
      { ...second, ...changes(second) },
    ],
  }
}

describe('a box secret', () => {
  it('is wrapped to no key of small order', () => {
    expect(() => wrapSecret(crypto, device, new Uint8Array(32), firstBox.secret)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    )
  })

  it('that is another than the log names, or does not open, is passed over for an older one', () => {
    expect(deviceBoxes(crypto, two, device).newest()).toEqual(secondBox)
    const rewrapped = (secret: Uint8Array): IdentityState =>
      withBox(({ wraps }) => ({
        wraps: new Map(wraps).set(toHex(device.key), {
          recipientBox: undefined,
          sealed: wrapSecret(crypto, device, device.boxKey, secret),
          senderBoxKey: device.boxKey,
        }),
      }))
    expect(deviceBoxes(crypto, rewrapped(secondBox.secret), device).newest()).toEqual(secondBox)
    expect(deviceBoxes(crypto, rewrapped(crypto.random(32)), device).newest()).toEqual(firstBox)
    const garbled = withBox(({ wraps }) => ({
      wraps: new Map(wraps).set(toHex(device.key), {
        recipientBox: undefined,
        sealed: new Uint8Array(72),
        senderBoxKey: device.boxKey,
      }),
    }))
    expect(deviceBoxes(crypto, garbled, device).newest()).toEqual(firstBox)
  })

  it('opens none before an epoch whose box seals another', () => {
    const epochsOf = (state: IdentityState) =>
      [0, 1, 2, 3].flatMap((epoch) => deviceBoxes(crypto, state, device).ofEpoch(epoch))
    // By the links alone: the first was wrapped to a device that is not asked.
    const unwrapped = withBox(
      () => ({}),
      () => ({ wraps: new Map() }),
    )
    expect(epochsOf(unwrapped)).toEqual([firstBox, secondBox])
    const links = (two.boxes[1] as BoxState).links.map((link) => ({ ...link, sealed: new Uint8Array(72) }))
    expect(
      epochsOf(
        withBox(
          () => ({ links }),
          () => ({ wraps: new Map() }),
        ),
      ),
    ).toEqual([secondBox])
    const lying = { epoch: 1, publicKey: secondBox.publicKey }
    const others = (two.boxes[1] as BoxState).links.map((link) => ({ ...link, ...lying }))
    const unlinked = () => ({ links: others })
    expect(epochsOf(withBox(unlinked, () => ({ wraps: new Map() })))).toEqual([secondBox])
    // What was wrapped to it once is opened all the same, whatever a stolen device sealed since.
    expect(epochsOf(withBox(unlinked))).toEqual([firstBox, secondBox])
    expect(deviceBoxes(crypto, two, device).of(firstBox.publicKey)).toEqual(firstBox)
    expect(deviceBoxes(crypto, two, newDevice()).newest()).toBeUndefined()
  })
})
