import { expect, it } from 'vitest'
import type { FollowerSecrets } from '../../client/readers/follower-secrets.ts'
import type { GroupSecrets } from '../../client/groups/group-secrets.ts'
import type { Identity } from '../../client/identity/identity.ts'
import { Sealing } from '../../client/sealing.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { makeBox, newBoxSecret } from '../../protocol/identity/box.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { blindCollection, blindingKey } from '../../protocol/record/blind.ts'
import type { Collection } from '../../protocol/schema/schema.ts'
import { createPerson, recordBy, seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(71)
const ada = createPerson(crypto)
const secret = newBoxSecret(crypto, 1)

/** Of somebody whose secret a stolen device gave again as that of a later epoch. */
function sealingOf(newest = 1): Sealing {
  const ofEpoch = (epoch: number) => [{ ...secret, epoch }]
  const identity = { id: ada.state.id, box: () => ofEpoch(newest)[0], boxes: { ofEpoch } }
  return new Sealing(crypto, identity as unknown as Identity, {} as GroupSecrets, {} as FollowerSecrets)
}

it('one secret of two epochs has a key for each', () => {
  const fields = { text: 'sealed' }
  const [one, two] = [1, 2].map((epoch) => {
    const place = { owner: ada.state.id, app: 'org.example', collection: 'notes' }
    const section = sealingOf(epoch).seal(
      { audience: 'private', heights: {}, fields },
      { ...place, group: undefined, followers: undefined },
    )
    return recordBy(crypto, ada, { app: place.app, collection: place.collection, sections: [section] })
  })
  const reader = sealingOf()
  expect([one, two].map((record) => reader.open(record!, 0)?.fields)).toEqual([fields, fields])
})

it('nothing is named by a secret that a stolen device says is the first', () => {
  const [phone, thief, camera] = [1, 2, 3].map(() => deviceFromSeed(crypto, crypto.random(32)))
  const admitted = (before: IdentityState, device: DeviceSecrets): IdentityState => {
    const possession = provePossession(crypto, before.id, device)
    const admission = ownerAdmission(device, false)
    const entry = addDevice(crypto, before, phone!, admission, possession, { readsPrivate: true })
    return append(crypto, before, [entry])
  }
  const { state, box: first } = createIdentity(crypto, phone!)
  const before = admitted(state, thief!)
  // Its box leads to one of its own, and not to the first: a device that comes then does not open that.
  const links = [newBoxSecret(crypto, 1)]
  const box = makeBox(crypto, thief!, [phone!, thief!], newBoxSecret(crypto, 2), links, before.boxes[0])
  const body = { kind: 'epoch', authorHeads: [], box } as const
  const header = { identity: state.id, previous: before.next, author: undefined, body }
  const after = admitted(append(crypto, before, [signEntry(crypto, header, thief!)]), camera!)
  const naming = (device: DeviceSecrets) => {
    const identity = { id: state.id, boxes: deviceBoxes(crypto, after, device) } as unknown as Identity
    const notes = { name: 'notes', private: true } as Collection
    return new Sealing(crypto, identity, {} as GroupSecrets, {} as FollowerSecrets).collectionName(
      'a.b',
      notes,
    )
  }
  expect(deviceBoxes(crypto, after, camera!).ofEpoch(1)).toHaveLength(1)
  expect(() => naming(camera!)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
  const key = blindingKey(crypto, state.id, first.secret)
  expect(naming(phone!)).toBe(blindCollection(crypto, key, 'a.b', 'notes'))
})
