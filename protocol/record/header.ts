import { equalBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { contexts } from '../context.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import {
  array,
  bytes,
  choice,
  decodeAs,
  either,
  literal,
  map,
  mapped,
  mismatch,
  nullable,
  parse,
  struct,
  text,
  u64,
  uint,
} from '../shape.ts'
import { readHeader, type WireHeader } from './header-reader.ts'
import type { Audience, RecordHeader, SectionHeader } from './types.ts'

const audiences = ['public', 'followers', 'private'] as const
const merges = ['register', 'append'] as const
const operations = ['put', 'delete'] as const

/** All ones is no time: it would leave no later clock to write with. */
export const clockMax = 2n ** 64n - 2n

/** The shortest plaintext is 16 random bytes and an empty map; sealing adds a nonce, a tag and padding. */
const openBytesMin = 17
const sealedBytesMin = 24 + 16 + openBytesMin + 1

const id = bytes(32)

/** Names go into store keys and terminals: no control characters. The bound of `text` alone measures no short name. */
const name = mapped(text(limits.nameBytesMax), (value) => {
  // oxlint-disable-next-line no-control-regex
  if (value === '' || /[\u0000-\u001f\u007f]/.test(value)) throw mismatch('name without control characters')
  return value
})

const clock = mapped(u64, (value) => {
  if (value > clockMax) throw mismatch('clock below all ones')
  return value
})

const sectionShape = struct({
  audience: either(choice(...audiences), id),
  heights: map(uint(limits.scopeDepthMax), { max: limits.hierarchiesMax, keyBytesMax: limits.nameBytesMax }),
  epoch: uint(),
  length: uint(limits.recordBytesMax, openBytesMin),
  hash: id,
})

const headerShape = struct({
  context: literal(contexts.record),
  version: literal(1),
  owner: id,
  author: nullable(id),
  app: name,
  collection: name,
  key: bytes(0, limits.recordKeyBytesMax),
  merge: choice(...merges),
  device: id,
  number: uint(Number.MAX_SAFE_INTEGER, 1),
  clock,
  operation: choice(...operations),
  schema: id,
  expiresMs: nullable(uint()),
  sections: array(sectionShape, limits.recordSectionsMax),
})

const bounds = { bytesMax: limits.recordHeaderBytesMax, depthMax: 4, itemsMax: 512 }

/** Throws BAD_MESSAGE where `decodeHeader` would: nothing is signed that nobody accepts. */
export function encodeHeader(header: RecordHeader): Uint8Array {
  const wire = [
    contexts.record,
    1,
    header.owner,
    equalBytes(header.owner, header.author) ? null : header.author,
    header.app,
    header.collection,
    header.key,
    merges.indexOf(header.merge),
    header.device,
    header.number,
    header.clock,
    operations.indexOf(header.operation),
    header.schema,
    header.expiresMs ?? null,
    header.sections.map((section) => [
      audienceCode(section.audience),
      section.heights,
      section.epoch,
      section.length,
      section.hash,
    ]),
  ]
  checked(parse(headerShape, wire, 'record'))
  return encode(wire, bounds)
}

export function decodeHeader(headerBytes: Uint8Array): RecordHeader {
  return checked(readHeader(headerBytes, { lengthMin: openBytesMin }) ?? decodeWireHeader(headerBytes))
}

/** By codec and shapes: says what is wrong, and what `readHeader` is held to. */
export function decodeWireHeader(headerBytes: Uint8Array): WireHeader {
  return decodeAs(headerShape, headerBytes, 'record', bounds)
}

export function audienceCode(audience: Audience): number | Uint8Array {
  return typeof audience === 'string' ? audiences.indexOf(audience) : audience.group
}

/** The rules that hold between fields. One meaning has one form, or two replicas could differ in what they hold. */
function checked(wire: WireHeader): RecordHeader {
  const { owner, merge, operation, key } = wire
  if (wire.author !== undefined && equalBytes(wire.author, owner)) {
    throw bad('author: null expected where it is the owner')
  }
  if (merge === 'append' && key.length !== 32 && (key.length !== 0 || operation === 'delete')) {
    throw bad('key: the id of the item, or nothing for a new one, expected where items are only appended')
  }
  if (operation === 'delete' && (wire.sections.length > 0 || wire.expiresMs !== undefined)) {
    throw bad('a delete has no sections and no expiry')
  }
  let length = 0
  const sections = wire.sections.map((section, index): SectionHeader => {
    length += section.length
    const { heights } = section
    const audience = typeof section.audience === 'string' ? section.audience : { group: section.audience }
    if (audience === 'public') {
      if (section.epoch !== 0) throw bad(`sections[${index}]: epoch 0 expected for everybody`)
    } else if (section.epoch === 0 || section.length < sealedBytesMin) {
      throw bad(`sections[${index}]: sealed unless it is for everybody`)
    } else if (Object.keys(heights).length > 0) {
      throw bad(`sections[${index}]: what is sealed cannot be searched`)
    }
    return {
      audience,
      heights,
      epoch: section.epoch,
      length: section.length,
      hash: section.hash,
    }
  })
  if (length > limits.recordBytesMax) {
    throw new OnehopError('TOO_LARGE', `${length} bytes of sections are more than allowed`)
  }
  return {
    owner,
    author: wire.author ?? owner,
    app: wire.app,
    collection: wire.collection,
    key,
    merge,
    device: wire.device,
    number: wire.number,
    clock: wire.clock,
    operation,
    schema: wire.schema,
    expiresMs: wire.expiresMs,
    sections,
  }
}

function bad(message: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `record.${message}`)
}
