import { expect, it } from 'vitest'
import type { FollowerSecrets } from '../../client/readers/follower-secrets.ts'
import type { GroupSecrets } from '../../client/groups/group-secrets.ts'
import type { Identity } from '../../client/identity/identity.ts'
import { Sealing } from '../../client/sealing.ts'
import { newBoxSecret } from '../../protocol/identity/box.ts'
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
