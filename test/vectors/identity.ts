/** Makes identity.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { compareBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { encodeEntry, encodeLog, signEntry } from '../../protocol/identity/entry.ts'
import { privateKeyFor } from '../../protocol/identity/box.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { append, refreshed } from '../../protocol/identity/log.ts'
import { addMember, createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  numberListHash,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
  vouch,
} from '../../protocol/identity/make.ts'
import type {
  DeviceSecrets,
  EntryBody,
  IdentityState,
  People,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { createPerson, seededCrypto } from '../support/people.ts'
import { malformedBodies } from './identity-malformed.ts'
import { groupRefusals, personRefusals } from './identity-refused.ts'
import { plain } from './record.ts'

export function identityVectors(): object {
  const crypto = seededCrypto(0x1d)
  const device = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
  const [phone, laptop, node, words, thief] = [device(), device(), device(), device(), device()]
  const recovery = { key: words.key, boxKey: words.boxKey }
  const admit = (state: IdentityState, signer: DeviceSecrets, of: DeviceSecrets): SignedEntry =>
    addDevice(crypto, state, signer, ownerAdmission(of, true), provePossession(crypto, state.id, of))

  const { state: alone } = createIdentity(crypto, phone, { recovery })
  const possession = provePossession(crypto, alone.id, laptop)
  const two = append(crypto, alone, [
    addDevice(crypto, alone, phone, ownerAdmission(laptop, true), possession, { readsPrivate: true }),
  ])
  const vouched = append(crypto, two, [vouch(crypto, two, phone, laptop.key)])
  const capabilities = [
    { app: 'notes', collection: undefined, access: 'read', expiresMs: 1_800_000_000_000 },
  ] as const
  const hosted = append(crypto, vouched, [
    addDevice(
      crypto,
      vouched,
      phone,
      { key: node.key, boxKey: node.boxKey, role: 'node', capabilities, probation: false },
      provePossession(crypto, alone.id, node, 'node'),
    ),
  ])
  const list = [1, 2].map((number) => ({ number, id: new Uint8Array(32).fill(number) }))
  const listHash = numberListHash(crypto, alone.id, laptop.key, list)
  const numbers = [{ owner: alone.id, lastNumber: 2, listHash, lastEntry: undefined }]
  const revoked = append(crypto, hosted, [revokeDevice(crypto, hosted, phone, laptop.key, numbers).entry])
  const merged = append(crypto, two, [admit(two, phone, node), admit(two, phone, thief)])
  const stolen = revokeDevice(crypto, two, laptop, phone.key, []).entry
  const fork = append(crypto, two, [stolen, admit(two, phone, node)])

  const valid: Record<string, IdentityState> = {
    'a person with recovery keys': alone,
    'a second device with the box secret, vouched for': vouched,
    'a home node with leave to read one app until a time': hosted,
    'a revoked device, and a new epoch without it': revoked,
    'two additions at once, merged': merged,
    'a fork, won by the higher rank': fork,
  }
  const body: EntryBody = { kind: 'vouch', device: laptop.key }
  const entryOf = (changes: object): SignedEntry =>
    signEntry(crypto, { identity: alone.id, previous: two.heads, author: undefined, body, ...changes }, phone)
  const bare = { kind: 'revokeDevice', device: laptop.key, numbers: [], box: undefined } as const
  const invalid: Record<string, [code: string, entry: Uint8Array]> = {
    'a stranger signs': ['BAD_IDENTITY', encodeEntry(admit(two, thief, node))],
    'a device admitted twice': ['BAD_IDENTITY', encodeEntry(admit(two, phone, laptop))],
    'another identity': ['BAD_IDENTITY', encodeEntry(entryOf({ identity: phone.key }))],
    'a missing entry before it': ['BAD_IDENTITY', encodeEntry(entryOf({ previous: [phone.key] }))],
    'an entry before it and one before that': [
      'BAD_IDENTITY',
      encodeEntry(entryOf({ previous: two.entries.map((entry) => entry.hash).toSorted(compareBytes) })),
    ],
    'a revoked reader without a new epoch': ['BAD_IDENTITY', encodeEntry(entryOf({ body: bare }))],
    'possession of another key': ['BAD_SIGNATURE', encodeEntry({ ...admit(two, phone, node), possession })],
    'a signature of zeros': ['BAD_SIGNATURE', encodeEntry({ ...entryOf({}), signature: new Uint8Array(64) })],
    'no possession where one is needed': [
      'BAD_MESSAGE',
      encodeEntry({ ...admit(two, phone, node), possession: undefined }),
    ],
    'possession where none is needed': ['BAD_MESSAGE', encodeEntry({ ...entryOf({}), possession })],
    ...malformed(crypto, phone, two),
  }
  const bodies = malformedBodies(crypto, phone, two)
  for (const [name, [code, entry]] of Object.entries(personRefusals(crypto, two, { phone, laptop, words })))
    invalid[name] = [code, encodeEntry(entry)]
  for (const { name, entry } of bodies.bad) invalid[name] = ['BAD_MESSAGE', entry]
  const boxSecret = deviceBoxes(crypto, revoked, phone).newest()
  // Drawn after all others, whose bytes stay as they were.
  valid['other recovery words, by the words before them'] = append(crypto, two, [
    rotate(crypto, two, words, device()).entry,
  ])
  return {
    about: 'logs and what they say; entries that must not follow the log `base`; bytes in hex',
    seeds: {
      phone: toHex(phone.seed),
      laptop: toHex(laptop.seed),
      node: toHex(node.seed),
      words: toHex(words.seed),
    },
    kinds: everyKind(crypto, phone, alone, recovery).map((entry) => ({
      wire: toHex(encodeEntry(entry)),
      hash: toHex(entry.hash),
      body: plain(entry.body),
    })),
    valid: Object.entries(valid).map(([name, state]) => ({
      name,
      log: toHex(encodeLog(state.entries)),
      id: toHex(state.id),
      heads: plain(state.heads),
      devices: [...state.devices.values()].map(({ key, role, rank, probation, revoked: gone }) =>
        plain({ key, role, rank, probation, revoked: gone !== undefined }),
      ),
      epochs: state.boxes.map((box) => plain({ epoch: box.epoch, publicKey: box.publicKey })),
      dropped: [...state.dropped].toSorted(),
    })),
    groups: groupVectors(crypto),
    groupInvalid: groupInvalid(crypto),
    wellFormed: bodies.good.map(({ name, entry }) => ({ name, entry: toHex(entry) })),
    base: toHex(encodeLog(two.entries)),
    invalid: Object.entries(invalid).map(([name, [code, entry]]) => ({ name, code, entry: toHex(entry) })),
    numberList: {
      owner: toHex(alone.id),
      device: toHex(laptop.key),
      list: plain(list),
      hash: toHex(listHash),
    },
    privateKey: boxSecret && {
      secret: toHex(boxSecret.secret),
      epoch: boxSecret.epoch,
      app: 'notes',
      collection: 'note',
      key: toHex(privateKeyFor(crypto, boxSecret, { owner: alone.id, app: 'notes', collection: 'note' })),
    },
  }
}

/** Logs of groups with those of the people in them, as far as the verdict depends on these. */
function groupVectors(crypto: ReturnType<typeof seededCrypto>): object[] {
  const [ada, bob] = [createPerson(crypto), createPerson(crypto)]
  const laptop = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, ada.state.id, laptop)
  const two = append(crypto, ada.state, [
    addDevice(crypto, ada.state, ada.device, ownerAdmission(laptop, false), possession),
  ])
  const peopleOf =
    (first: IdentityState): People =>
    (id) =>
      [first, bob.state].find((state) => equalBytes(state.id, id))
  const people = peopleOf(two)
  const signer = { person: two, device: laptop }
  const { state: founded, box } = createGroup(crypto, { person: two, device: ada.device }, [], {
    people,
    isSealed: true,
  })
  const member = { identity: bob.state.id, role: 'writer' } as const
  const joined = append(
    crypto,
    founded,
    [addMember(crypto, founded, signer, member, { people, box })],
    people,
  )
  const numbers = [{ device: bob.device.key, lastNumber: 2, listHash: new Uint8Array(32) }]
  const { entry } = removeMember(crypto, joined, signer, bob.state.id, { numbers, people, before: box && [box] })
  const left = append(crypto, joined, [entry], people)
  const last = joined.heads[0] as Uint8Array
  const named = { owner: founded.id, lastNumber: 0, listHash: new Uint8Array(32), lastEntry: last }
  const robbed = append(crypto, two, [revokeDevice(crypto, two, ada.device, laptop.key, [named]).entry])
  const told: readonly [string, IdentityState, IdentityState][] = [
    ['founded, sealed', founded, two],
    ['a writer added by another device of the founder', joined, two],
    ['the writer removed, with the numbers that count', left, two],
    ['that device revoked, with the last of its entries that counts', refreshed(left, peopleOf(robbed)), robbed],
  ]
  return told.map(([name, state, founder]) => ({
    name,
    log: toHex(encodeLog(state.entries)),
    people: [founder, bob.state].map((one) => toHex(encodeLog(one.entries))),
    id: toHex(state.id),
    members: [...state.members.values()].map((one) => plain(one)),
    formerMembers: [...state.formerMembers].map(([identity, of]) => ({
      identity,
      numbers: [...of.values()].map((one) => plain(one)),
    })),
    epochs: state.boxes.map(({ epoch, publicKey }) => plain({ epoch, publicKey })),
    dropped: [...state.dropped].toSorted(),
  }))
}

/** Entries that must not follow the group's log, or (without a code) stand in it and count for nothing. */
function groupInvalid(crypto: ReturnType<typeof seededCrypto>): object {
  const { group, people, entries } = groupRefusals(crypto)
  return {
    base: toHex(encodeLog(group.entries)),
    people: people.map((one) => toHex(encodeLog(one.entries))),
    entries: Object.entries(entries).map(([name, [code, entry]]) => ({
      name,
      code: code ?? null,
      entry: toHex(encodeEntry(entry)),
    })),
  }
}

/** One of each kind, as it is read and written. */
function everyKind(
  crypto: ReturnType<typeof seededCrypto>,
  phone: DeviceSecrets,
  state: IdentityState,
  recovery: { key: Uint8Array; boxKey: Uint8Array },
): SignedEntry[] {
  const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
  const sealed = new Uint8Array(72).fill(5)
  const wrap = { recipient: id(1), recipientBox: id(4), sealed }
  const links = [{ epoch: 1, publicKey: id(3), sealed }]
  const box = { epoch: 2, publicKey: id(2), wraps: [wrap], links }
  const authorHeads = [id(3), id(4)]
  const leave = { app: 'notes', collection: 'note', access: 'write', expiresMs: 7 } as const
  const device = { key: id(6), boxKey: id(7), role: 'app', capabilities: [leave], probation: true } as const
  const member = { identity: id(8), role: 'writer' } as const
  const removed = [{ device: id(6), lastNumber: 3, listHash: id(9) }]
  const nonce = new Uint8Array(16)
  const genesis: EntryBody[] = [
    {
      kind: 'genesisPerson',
      nonce,
      device: ownerAdmission(phone, false),
      recovery,
      box: { ...box, epoch: 1, links: [] },
    },
    {
      kind: 'genesisGroup',
      nonce,
      authorHeads,
      members: [{ identity: id(8), role: 'owner' }],
      box: undefined,
    },
  ]
  const others: EntryBody[] = [
    { kind: 'addDevice', device, grants: [{ epoch: 1, sealed }] },
    { kind: 'vouch', device: id(6) },
    {
      kind: 'revokeDevice',
      device: id(6),
      numbers: [{ owner: id(8), lastNumber: 3, listHash: id(9), lastEntry: id(10) }],
      box,
    },
    { kind: 'rotate', recovery, box },
    { kind: 'epoch', authorHeads: [], box },
    { kind: 'addMember', authorHeads, member, grants: [{ epoch: 2, wrap }] },
    { kind: 'changeMember', authorHeads, member: { ...member, role: 'reader' } },
    { kind: 'removeMember', authorHeads, identity: id(8), numbers: removed, box },
  ]
  const proof = new Uint8Array(64).fill(11)
  return [
    ...genesis.map((body) =>
      signEntry(
        crypto,
        {
          identity: undefined,
          previous: [],
          author: body.kind === 'genesisGroup' ? state.id : undefined,
          body,
        },
        phone,
      ),
    ),
    ...others.map((body) => {
      const author = 'authorHeads' in body && body.authorHeads.length > 0 ? state.id : undefined
      const possession = body.kind === 'addDevice' || body.kind === 'rotate' ? proof : undefined
      return signEntry(crypto, { identity: state.id, previous: [id(12)], author, body }, phone, possession)
    }),
  ]
}

/** Entries that no release of ours writes, signed all the same. */
function malformed(
  crypto: ReturnType<typeof seededCrypto>,
  phone: DeviceSecrets,
  state: IdentityState,
): Record<string, [string, Uint8Array]> {
  const key = new Uint8Array(32).fill(1)
  const good: unknown[] = [contexts.identity, 1, 3, state.id, state.heads, phone.key, null, [key]]
  const changed = (at: number, value: unknown): [string, Uint8Array] => {
    const bytes = encode(good.with(at, value))
    const signature = crypto.sign(signedMessage(contexts.identity, bytes), phone.seed)
    return ['BAD_MESSAGE', encode([bytes, signature, null])]
  }
  return {
    'another context': changed(0, contexts.record),
    'another version': changed(1, 2),
    'an unknown kind': changed(2, 10),
    'no identity': changed(3, null),
    'no entry before it': changed(4, []),
    'entries before it out of order': changed(4, [new Uint8Array(32).fill(2), key]),
    'a short signer': changed(5, key.slice(1)),
    'an empty body': changed(7, []),
    'a body of another kind': changed(7, [key, [], null]),
  }
}

if (import.meta.main) {
  writeFileSync(
    new URL('identity.json', import.meta.url),
    JSON.stringify(identityVectors(), undefined, 1) + '\n',
  )
}
