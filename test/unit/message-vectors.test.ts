import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import type { MessageKind, MessageVectors } from '../vectors/message-kinds.ts'
import { placementKinds, placementMessageVectors } from '../vectors/placement-messages.ts'
import { replicationKinds, replicationMessageVectors } from '../vectors/replication-messages.ts'
import {
  followersKinds,
  followersVectors,
  streamListKinds,
  streamListVectors,
} from '../vectors/stream-list.ts'
import { codeOf, readVectors, unspell } from '../vectors/wire.ts'

function hold(name: string, kinds: Readonly<Record<string, MessageKind>>, made: () => MessageVectors): void {
  const file = readVectors(`${name}.json`) as MessageVectors
  const kindOf = (kind: string): MessageKind => {
    const found = kinds[kind]
    if (found === undefined) throw new Error(`no such kind of message: ${kind}`)
    return found
  }

  describe(`vectors of ${name}`, () => {
    it('are what is made today', () => expect(made()).toEqual(file))

    it('have every kind of message', () => {
      const told = new Set(file.valid.map(({ kind }) => kind))
      expect([...told]).toEqual(Object.keys(kinds))
    })

    it.each(file.valid)('$kind: $name', ({ kind, bytes, value }) => {
      const again = kindOf(kind).reread(unspell(bytes))
      if (value !== undefined) expect(again.value).toEqual(value)
      expect(toHex(again.bytes)).toBe(toHex(unspell(bytes)))
    })

    it.each(file.invalid)('$kind refused: $name', ({ kind, bytes, code }) => {
      expect(codeOf(() => kindOf(kind).reread(unspell(bytes)))).toBe(code)
    })
  })
}

hold('placement-messages', placementKinds, placementMessageVectors)
hold('replication-messages', replicationKinds, replicationMessageVectors)
hold('stream-list', streamListKinds, streamListVectors)
hold('followers', followersKinds, followersVectors)
