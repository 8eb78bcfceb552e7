import { describe, expect, it, test } from 'vitest'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { limits } from '../../protocol/limits.ts'
import { readerCollections } from '../../protocol/readers/collections.ts'
import { boxEpochOf, epochToSeal } from '../../protocol/readers/epoch.ts'
import { decodeReaders, encodeReaders, pageOf, type ReaderEntry } from '../../protocol/readers/page.ts'
import {
  followersKeyFor,
  openReadersChain,
  openReadersWrap,
  secretForReaders,
} from '../../protocol/readers/secret.ts'
import { compatible } from '../../protocol/schema/compatible.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import { carriedCollections } from '../../protocol/schema/schema.ts'
import { validateSchema } from '../../protocol/schema/validate.ts'
import { seededCrypto } from '../support/people.ts'
import { readersVectors, type ReadersVectors } from '../vectors/readers.ts'
import { codeOf, readVectors, unhex, unspell } from '../vectors/wire.ts'

const file = readVectors('readers.json') as ReadersVectors
const of = { owner: unhex(file.owner), app: file.app }
const random = (length: number): Uint8Array => new Uint8Array(length)

it('vectors are what is made today', () => expect(readersVectors()).toEqual(file))

describe.each([nodeCrypto(random), portableCrypto(random)])('secrets of epochs with $name', (crypto) => {
  it('follow from the box secret of the owner, and seal for followers', () => {
    for (const { epoch, secret, followersKey } of file.epochs) {
      const box = file.boxSecrets.find((one) => one.epoch === boxEpochOf(epoch))!
      const made = secretForReaders(crypto, { epoch: box.epoch, secret: unhex(box.secret) }, { ...of, epoch })
      expect(toHex(made)).toBe(secret)
      expect(toHex(followersKeyFor(crypto, made, { ...of, epoch, collection: file.collection }))).toBe(
        followersKey,
      )
    }
  })

  it('lead to the one before, and nowhere from another place', () => {
    for (const [i, { epoch, secret, before, chain }] of file.epochs.entries()) {
      if (chain === null || before === null) continue
      const open = (place: typeof of, at: number, from: number) =>
        openReadersChain(crypto, unhex(secret), { ...place, epoch: at }, from, unhex(chain))
      expect(toHex(open(of, epoch, before)!)).toBe(file.epochs[i - 1]?.secret)
      expect(open({ ...of, app: 'example.other' }, epoch, before)).toBeUndefined()
      expect(open(of, epoch + 1, before)).toBeUndefined()
      expect(open(of, epoch, before - 1)).toBeUndefined()
    }
  })

  it.each(file.pages)('are wrapped to readers: $name', ({ page, bytes, readers }) => {
    const entries = decodeReaders(unhex(bytes), page)
    expect(toHex(encodeReaders(entries))).toBe(bytes)
    const opened = entries.map(({ reader, boxEpoch, epoch, wrap, isRemoved }, i) => {
      const boxSecret = readers[i]?.boxSecret as string
      const secret = openReadersWrap(crypto, wrap, unhex(file.sender), unhex(boxSecret)) as Uint8Array
      expect(openReadersWrap(crypto, wrap, unhex(file.sender), new Uint8Array(32).fill(1))).toBeUndefined()
      return {
        ...{ reader: toHex(reader), boxEpoch, boxSecret, epoch, secret: toHex(secret) },
        removed: isRemoved,
      }
    })
    expect(opened).toEqual(readers)
  })
})

it.each(file.invalid)('a page is refused: $name', ({ bytes, code }) => {
  expect(codeOf(() => decodeReaders(unspell(bytes), 7))).toBe(code)
})

describe('the epoch to seal under', () => {
  const dayMs = 86_400_000
  const stand = {
    newest: { epoch: 65_536, startedMs: 1_000 },
    boxEpoch: 1,
    isRemovalWaiting: false,
    isUrgent: false,
    nowMs: 1_000 + 10 * dayMs,
  }
  test.each([
    ['the first', { newest: undefined }, 65_536],
    ['nothing happened', {}, 65_536],
    ['urgent, but nobody was put out', { isUrgent: true }, 65_536],
    ['somebody was put out', { isRemovalWaiting: true }, 65_537],
    ['the same, within a day', { isRemovalWaiting: true, nowMs: 999 + dayMs }, 65_536],
    ['the same, a day after', { isRemovalWaiting: true, nowMs: 1_000 + dayMs }, 65_537],
    ['the same, at once', { isRemovalWaiting: true, isUrgent: true, nowMs: 1_001 }, 65_537],
    ['a device of the owner was revoked', { boxEpoch: 2, nowMs: 1_001 }, 131_072],
    ['this device has not heard yet that one was', { newest: { epoch: 131_072, startedMs: 1_000 } }, 131_072],
  ])('%s', (_, changes, epoch) => {
    expect(epochToSeal({ ...stand, ...changes })).toBe(epoch)
  })

  it('never reaches into those of the next box secret', () => {
    const full = { ...stand, newest: { epoch: 131_071, startedMs: 0 }, isRemovalWaiting: true }
    expect(codeOf(() => epochToSeal(full))).toBe('UNSUPPORTED')
  })
})

describe('ten thousand readers', () => {
  it('fit into 256 records of some kilobytes each', () => {
    const crypto = seededCrypto(10_000)
    const pages = new Map<number, ReaderEntry[]>()
    for (let i = 0; i < limits.readersMax; i++) {
      const reader = crypto.random(32)
      const entry = {
        ...{ reader, boxEpoch: 1_000, boxKey: crypto.random(32), epoch: 65_536 * 1_000 },
        ...{ wrap: crypto.random(72), isRemoved: false },
      }
      pages.set(pageOf(reader), [...(pages.get(pageOf(reader)) ?? []), entry])
    }
    const sizes = [...pages.values()].map((entries) => encodeReaders(entries).length)
    expect(pages.size).toBe(256)
    expect(Math.max(...sizes)).toBeLessThan(16 * 1024)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1.7 * 2 ** 20)
  })

  it('and a page that is full in a field', () => {
    const entry = (i: number): ReaderEntry => ({
      reader: Uint8Array.of(7, i >> 8, i & 255, ...new Uint8Array(29)),
      ...{ boxEpoch: Number.MAX_SAFE_INTEGER, boxKey: new Uint8Array(32), epoch: Number.MAX_SAFE_INTEGER },
      ...{ wrap: new Uint8Array(72), isRemoved: false },
    })
    const full = Array.from({ length: limits.readersOnPageMax }, (_, i) => entry(i))
    const { max } = readerCollections['@readers']!.fields['readers']!
    expect(encodeReaders(full).length).toBeLessThanOrEqual(max!)
    expect(codeOf(() => encodeReaders([...full, entry(400)]))).toBe('TOO_LARGE')
  })
})

describe('a schema', () => {
  const with_ = (version: number, audience: 'public' | 'followers' | 'private') =>
    defineSchema({
      onehop: 1,
      id: 'example.circle',
      version,
      collections: {
        posts: {
          key: 'none',
          stream: true,
          fields: { title: { type: 'text' }, text: { type: 'text', audience } },
        },
      },
    })

  it('has collections of readers where something is kept for followers, and they are carried', () => {
    expect([...with_(1, 'public').collections.keys()]).toEqual(['posts'])
    expect(carriedCollections(with_(1, 'private'))).toEqual(['posts'])
    const schema = with_(1, 'followers')
    expect([...schema.collections.keys()]).toEqual(['posts', '@readers', '@epochs'])
    expect(carriedCollections(schema)).toEqual(['@epochs', '@readers', 'posts'])
    expect(schema.collections.get('@readers')).toMatchObject({ merge: 'register', private: false })
  })

  it('has at most 62 of its own beside them', () => {
    const fields = (audience: 'public' | 'followers') => ({ text: { type: 'text' as const, audience } })
    const many = (count: number, audience: 'public' | 'followers') => {
      const names = Array.from({ length: count }, (_, i) => [
        `c${i}`,
        { key: 'none', fields: fields(audience) },
      ])
      return validateSchema({
        ...{ onehop: 1, id: 'example.circle', version: 1 },
        collections: Object.fromEntries(names),
      })
    }
    expect([many(64, 'public').ok, many(62, 'followers').ok]).toEqual([true, true])
    expect(many(63, 'followers')).toMatchObject({ ok: false, problems: [{ path: 'collections' }] })
  })

  it('may come to keep nothing for followers', () => {
    expect(compatible(with_(1, 'followers'), with_(2, 'private'))).toEqual({ ok: true })
  })
})
