/** Well-formed entries that break a rule of a person's or a group's log. */
import { compareBytes, equalBytes } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { createGroup } from '../../protocol/identity/make-group.ts'
import { deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import type {
  Box,
  DeviceSecrets,
  EntryBody,
  IdentityState,
  RecoveryKeys,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { createPerson, type Person } from '../support/people.ts'

const sealed = new Uint8Array(72).fill(5)

const key2 = new Uint8Array(32).fill(2)

/** Boxes that follow the newest of that log. */
function boxesAfter(state: IdentityState) {
  const before = state.boxes.at(-1)?.publicKey as Uint8Array
  const usual = { isOfMembers: false, opens: before, publicKey: key2 as Uint8Array, linkEpoch: 1 }
  return (recipients: readonly Uint8Array[], epoch: number, changes: Partial<typeof usual> = {}): Box => {
    const { isOfMembers, opens, publicKey, linkEpoch } = { ...usual, ...changes }
    const recipientBox = isOfMembers ? key2 : undefined
    const wraps = recipients.toSorted(compareBytes).map((recipient) => ({ recipient, recipientBox, sealed }))
    return { epoch, publicKey, wraps, links: [{ epoch: linkEpoch, publicKey: opens, sealed }] }
  }
}

interface Writers {
  readonly phone: DeviceSecrets
  readonly laptop: DeviceSecrets
  /** The recovery words of the log. */
  readonly words: DeviceSecrets
}

/** To follow a log of two devices, whose newest epoch is the first. */
export function personRefusals(
  crypto: CryptoProvider,
  state: IdentityState,
  { phone, laptop, words }: Writers,
): Readonly<Record<string, readonly [code: string, entry: SignedEntry]>> {
  const others = deviceFromSeed(crypto, new Uint8Array(32).fill(0x33))
  const entry = (body: EntryBody, possession?: Uint8Array, author?: Uint8Array): SignedEntry =>
    signEntry(crypto, { identity: state.id, previous: state.heads, author, body }, phone, possession)
  const rotate = (
    to: DeviceSecrets,
    box: Box | undefined,
    possession = provePossession(crypto, state.id, to),
  ): SignedEntry => {
    const recovery: RecoveryKeys = { key: to.key, boxKey: to.boxKey }
    return entry({ kind: 'rotate', recovery, box }, possession)
  }
  const boxTo = boxesAfter(state)
  const readers = [phone.key, laptop.key]
  const next = boxTo([...readers, others.key], 2)
  const member = { identity: new Uint8Array(32).fill(8), role: 'writer' } as const
  return {
    'rotate: names no recovery key': [
      'BAD_IDENTITY',
      entry({ kind: 'rotate', recovery: undefined, box: boxTo([...readers, words.key], 2) }),
    ],
    'rotate: opens no epoch': ['BAD_IDENTITY', rotate(others, undefined)],
    'rotate: names a device': ['BAD_IDENTITY', rotate(laptop, next)],
    'rotate: names the words that there are': ['BAD_IDENTITY', rotate(words, boxTo([...readers, words.key], 2))],
    'rotate: an epoch that the new words cannot open': ['BAD_IDENTITY', rotate(others, boxTo(readers, 2))],
    'rotate: an epoch that the former words can open': [
      'BAD_IDENTITY',
      rotate(others, boxTo([...readers, others.key, words.key], 2)),
    ],
    'rotate: an epoch left out': ['BAD_IDENTITY', rotate(others, { ...next, epoch: 3 })],
    'rotate: a device by a box of its own': [
      'BAD_IDENTITY',
      rotate(others, boxTo([...readers, others.key], 2, { isOfMembers: true })),
    ],
    'rotate: the words did not consent': [
      'BAD_SIGNATURE',
      rotate(others, next, provePossession(crypto, state.id, phone)),
    ],
    'epoch: goes to a stranger': [
      'BAD_IDENTITY',
      entry({ kind: 'epoch', authorHeads: [], box: boxTo([phone.key, words.key, others.key], 2) }),
    ],
    'epoch: not for the recovery words': [
      'BAD_IDENTITY',
      entry({ kind: 'epoch', authorHeads: [], box: boxTo(readers, 2) }),
    ],
    'epoch: does not open the one before': [
      'BAD_IDENTITY',
      entry({ kind: 'epoch', authorHeads: [], box: boxTo([...readers, words.key], 2, { opens: key2 }) }),
    ],
    'epoch: with the key of the one before': [
      'BAD_IDENTITY',
      entry({
        kind: 'epoch',
        authorHeads: [],
        box: boxTo([...readers, words.key], 2, { publicKey: state.boxes[0]?.publicKey as Uint8Array }),
      }),
    ],
    'epoch: a link that names another epoch': [
      'BAD_IDENTITY',
      entry({ kind: 'epoch', authorHeads: [], box: boxTo([...readers, words.key], 2, { linkEpoch: 9 }) }),
    ],
    'vouch: for a device that is not there': ['BAD_IDENTITY', entry({ kind: 'vouch', device: others.key })],
    'vouch: names an author': [
      'BAD_IDENTITY',
      entry({ kind: 'vouch', device: laptop.key }, undefined, state.id),
    ],
    "addMember: in a person's log": [
      'BAD_IDENTITY',
      entry({ kind: 'addMember', authorHeads: [], member, grants: [] }),
    ],
  }
}

export interface GroupRefusals {
  readonly group: IdentityState
  readonly people: readonly IdentityState[]
  /** Without a code the entry stands in the log and counts for nothing. */
  readonly entries: Readonly<Record<string, readonly [code: string | undefined, entry: SignedEntry]>>
}

/** To follow a sealed group of a founder and a writer. */
export function groupRefusals(crypto: CryptoProvider): GroupRefusals {
  const [ada, bob, dan] = [createPerson(crypto), createPerson(crypto), createPerson(crypto)]
  const stranger = deviceFromSeed(crypto, crypto.random(32))
  const states = [ada.state, bob.state, dan.state]
  const { state: group } = createGroup(
    crypto,
    { person: ada.state, device: ada.device },
    [{ identity: bob.state.id, role: 'writer' }],
    { people: (id) => states.find((state) => equalBytes(state.id, id)), isSealed: true },
  )
  const by = (author: Person, body: EntryBody, changes: object = {}, device = author.device): SignedEntry =>
    signEntry(
      crypto,
      { identity: group.id, previous: group.heads, author: author.state.id, body, ...changes },
      device,
    )
  const authorHeads = ada.state.heads
  const newcomer = { identity: dan.state.id, role: 'writer' } as const
  const adding: EntryBody = { kind: 'addMember', authorHeads, member: newcomer, grants: [] }
  const members = { isOfMembers: true }
  const boxTo = boxesAfter(group)
  const grantOf = (epoch: number, recipient: Uint8Array, recipientBox: Uint8Array | undefined): EntryBody => ({
    ...adding,
    grants: [{ epoch, wrap: { recipient, recipientBox, sealed } }],
  })
  const changing = (of: Person, role: 'owner' | 'writer' | 'reader'): EntryBody => ({
    kind: 'changeMember',
    authorHeads,
    member: { identity: of.state.id, role },
  })
  const removing = (of: Person, box?: Box): EntryBody => ({
    kind: 'removeMember',
    authorHeads,
    identity: of.state.id,
    numbers: [],
    box,
  })
  const opening = (box: Box): EntryBody => ({ kind: 'epoch', authorHeads, box })
  const both = [ada.state.id, bob.state.id]
  const bad = (entry: SignedEntry): readonly [string, SignedEntry] => ['BAD_IDENTITY', entry]
  const idle = (entry: SignedEntry): readonly [undefined, SignedEntry] => [undefined, entry]
  return {
    group,
    people: states,
    entries: {
      'by somebody who was never a member': bad(by(dan, { ...adding, authorHeads: dan.state.heads })),
      'by a device that its author never had': bad(by(ada, adding, {}, stranger)),
      "by a member's device in another member's name": bad(by(ada, adding, {}, bob.device)),
      'by nobody': bad(by(ada, adding, { author: undefined })),
      "no heads of the author's log": bad(by(ada, { ...adding, authorHeads: [] })),
      "heads that the author's log does not have": [
        'UNKNOWN_IDENTITY',
        by(ada, { ...adding, authorHeads: bob.state.heads }),
      ],
      'a signature of zeros': ['BAD_SIGNATURE', { ...by(ada, adding), signature: new Uint8Array(64) }],
      "vouch: in a group's log": bad(by(ada, { kind: 'vouch', device: ada.device.key })),
      'an entry before it that is missing': bad(by(ada, adding, { previous: ada.state.heads })),
      'addMember: by a writer': bad(by(bob, { ...adding, authorHeads: bob.state.heads })),
      'addMember: of a member': idle(by(ada, { ...adding, member: { identity: bob.state.id, role: 'writer' } })),
      'addMember: a secret for another': idle(by(ada, grantOf(1, bob.state.id, key2))),
      'addMember: a secret for a device': idle(by(ada, grantOf(1, dan.state.id, undefined))),
      'addMember: a secret of an epoch to come': idle(by(ada, grantOf(2, dan.state.id, key2))),
      'changeMember: to the role that there is': idle(by(ada, changing(bob, 'writer'))),
      'changeMember: to reader': idle(by(ada, changing(bob, 'reader'))),
      'changeMember: of a stranger': idle(by(ada, changing(dan, 'owner'))),
      'changeMember: of the last owner': idle(by(ada, changing(ada, 'writer'))),
      'removeMember: of the last owner': idle(by(ada, removing(ada, boxTo([bob.state.id], 2, members)))),
      'removeMember: of a stranger': idle(by(ada, removing(dan))),
      'removeMember: of one who can read, without a new epoch': idle(by(ada, removing(bob))),
      'removeMember: a new epoch for the removed one too': idle(by(ada, removing(bob, boxTo(both, 2, members)))),
      'epoch: left out': idle(by(ada, opening(boxTo(both, 3, members)))),
      'epoch: goes to a stranger': idle(by(ada, opening(boxTo([...both, dan.state.id], 2, members)))),
      'epoch: does not open the one before': idle(
        by(ada, opening(boxTo(both, 2, { isOfMembers: true, opens: key2 }))),
      ),
      'epoch: goes to devices': idle(by(ada, opening(boxTo(both, 2)))),
    },
  }
}
