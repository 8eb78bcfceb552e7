import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { checkChain, makeChain, unpackChain } from '../../protocol/placement/chain.ts'
import { readLease, signLease, verifyLease, type Lease } from '../../protocol/placement/lease.ts'
import {
  compareReplicaSets,
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { seededCrypto } from '../support/people.ts'
import { leaseVectors, type LeaseVectors } from '../vectors/lease.ts'
import { plain } from '../vectors/record.ts'
import { replicaSetVectors, type ReplicaSetVectors } from '../vectors/replica-set.ts'
import { packed } from '../vectors/replica-set-holders.ts'
import { codeOf, readVectors, unhex, unspell } from '../vectors/wire.ts'

const crypto = seededCrypto(3)
const file = readVectors('replica-set.json') as ReplicaSetVectors
const leases = readVectors('lease.json') as LeaseVectors
const owner = unhex(file.owner)

describe('vectors of replica sets', () => {
  it('are what is made today', () => expect(replicaSetVectors()).toEqual(file))

  it.each(file.sets.valid)('$name', ({ bytes, hash, signers, value }) => {
    const { hash: named, document, signatures, ...set } = unpackReplicaSet(crypto, unhex(bytes))
    expect(plain(set)).toEqual(value)
    expect(toHex(named)).toBe(hash)
    expect(toHex(encodeReplicaSet(set))).toBe(toHex(document))
    expect(toHex(packReplicaSet(document, signatures))).toBe(bytes)
    expect(signers.map((seed) => signReplicaSet(crypto, document, unhex(seed)))).toEqual(signatures)
  })

  it.each(file.sets.invalid)('refused: $name', ({ bytes, code }) => {
    expect(codeOf(() => unpackReplicaSet(crypto, unspell(bytes)))).toBe(code)
  })

  it('are ordered from the newest', () => {
    const sets = file.sets.order.map((bytes) => unpackReplicaSet(crypto, unhex(bytes)))
    const sorted = sets.toReversed().toSorted(compareReplicaSets)
    expect(sorted.map((set) => toHex(packed(set)))).toEqual(file.sets.order)
  })
})

describe('vectors of chains', () => {
  const check = (bytes: string): string | undefined => {
    const isOwnerDevice = (key: Uint8Array): boolean => file.devices.includes(toHex(key))
    return checkChain(crypto, unpackChain(crypto, unhex(bytes)), owner, isOwnerDevice)
  }

  it.each(file.chains.valid)('$name', ({ bytes, hashes }) => {
    expect(check(bytes)).toBeUndefined()
    const { sets, newest } = unpackChain(crypto, unhex(bytes))
    expect(sets.map(({ hash }) => toHex(hash))).toEqual(hashes)
    expect(toHex(newest.hash)).toBe(hashes.at(-1))
    expect(toHex(makeChain(sets).bytes)).toBe(bytes)
  })

  it.each(file.chains.refused)('does not stand: $name', ({ bytes, problem }) => {
    expect(check(bytes)).toBe(problem)
  })

  it.each(file.chains.invalid)('refused: $name', ({ bytes, code }) => {
    expect(codeOf(() => unpackChain(crypto, unspell(bytes)))).toBe(code)
  })
})

describe('vectors of leases', () => {
  it('are what is made today', () => expect(leaseVectors()).toEqual(leases))

  it.each(leases.valid)('$name', ({ bytes, seed, value }) => {
    const { document: _, signature: __, ...lease } = verifyLease(crypto, unhex(bytes)) ?? {}
    expect(plain(lease)).toEqual(value)
    const { asked } = readLease(unhex(bytes))
    expect(toHex(signLease(crypto, lease as Lease, asked, unhex(seed)))).toBe(bytes)
  })

  it.each(leases.unsigned)('not its host: $name', ({ bytes }) => {
    expect(verifyLease(crypto, unhex(bytes))).toBeUndefined()
  })

  it.each(leases.invalid)('refused: $name', ({ bytes, code }) => {
    expect(codeOf(() => verifyLease(crypto, unspell(bytes)))).toBe(code)
  })
})
