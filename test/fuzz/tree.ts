/**
 * CBOR as a tree that can be changed and written again, also into what no encoder of ours would write. It knows no
 * rules: whatever has a head and an end is taken. Byte strings that hold a list or a map are opened too, because a
 * record lies in a push and an entry in a log.
 */
export interface Branch {
  major: number
  /** Of numbers: their value. Of texts and byte strings: unused. */
  value: bigint
  /** Of texts, byte strings without a tree inside, floats and simple values (with their head). */
  bytes: Uint8Array
  /** Of lists; keys and values in turn of maps; the one tree inside a byte string. */
  items: Branch[]
  /** A head as long as this, where it is no shorter than need be: 1, 2, 4 or 8 bytes behind the first. */
  width: number
}

const none = new Uint8Array(0)
/** Deeper ones are left as bytes: the mutations make depth themselves. */
const depthMax = 24
/** A tree of a whole frame of ids would take longer than what is being tested. */
const branchesMax = 4_000

export const major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, raw: 7 } as const

export function branch(kind: number, changes: Partial<Branch> = {}): Branch {
  return { major: kind, value: 0n, bytes: none, items: [], width: 0, ...changes }
}

/** Undefined when the bytes are not one item and nothing more. */
export function growTree(bytes: Uint8Array): Branch | undefined {
  const grower = new Grower(bytes)
  const tree = grower.item(0)
  return tree !== undefined && grower.isAtEnd ? tree : undefined
}

class Grower {
  readonly #bytes: Uint8Array
  #offset = 0
  #branches = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  item(depth: number): Branch | undefined {
    const start = this.#offset
    const first = this.#bytes[this.#offset++]
    if (first === undefined || depth > depthMax || ++this.#branches > branchesMax) return undefined
    const [kind, low] = [first >> 5, first & 31]
    if (low > 27) return undefined
    const more = low < 24 ? 0 : 1 << (low - 24)
    if (this.#offset + more > this.#bytes.length) return undefined
    let value = BigInt(low)
    if (more > 0) {
      value = 0n
      for (let i = 0; i < more; i++) value = (value << 8n) | BigInt(this.#bytes[this.#offset++] as number)
    }
    if (kind === 6) return undefined
    if (kind === major.raw) return branch(kind, { bytes: this.#bytes.slice(start, this.#offset) })
    if (kind === major.uint || kind === major.negative) return branch(kind, { value })
    if (value > BigInt(this.#bytes.length - this.#offset)) return undefined
    if (kind === major.bytes || kind === major.text) return this.#string(kind, Number(value), depth)
    const items: Branch[] = []
    for (let count = Number(value) * (kind === major.map ? 2 : 1); count > 0; count--) {
      const child = this.item(depth + 1)
      if (child === undefined) return undefined
      items.push(child)
    }
    return branch(kind, { items })
  }

  #string(kind: number, length: number, depth: number): Branch {
    const bytes = this.#bytes.slice(this.#offset, (this.#offset += length))
    const inside = kind === major.bytes && (bytes[0] ?? 0) >> 5 >= major.array && bytes.length > 3
    const tree = inside ? new Grower(bytes) : undefined
    const item = tree?.item(depth + 1)
    return item !== undefined && tree?.isAtEnd === true
      ? branch(kind, { items: [item] })
      : branch(kind, { bytes })
  }
}

export function writeTree(tree: Branch): Uint8Array {
  const parts: Uint8Array[] = []
  write(tree, parts)
  return joined(parts)
}

/** As many as there are: more than a call takes arguments. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

function write(tree: Branch, parts: Uint8Array[]): void {
  if (tree.major === major.raw) {
    parts.push(tree.bytes)
  } else if (tree.major === major.uint || tree.major === major.negative) {
    parts.push(head(tree.major, tree.value, tree.width))
  } else if (tree.major === major.bytes || tree.major === major.text) {
    const content = tree.items.length > 0 ? joined(tree.items.map(writeTree)) : tree.bytes
    parts.push(head(tree.major, BigInt(content.length), tree.width), content)
  } else {
    const count = tree.major === major.map ? tree.items.length >> 1 : tree.items.length
    parts.push(head(tree.major, BigInt(count), tree.width))
    for (const item of tree.items) write(item, parts)
  }
}

function head(kind: number, value: bigint, widthMin: number): Uint8Array {
  const needed = value < 24n ? 0 : value < 0x100n ? 1 : value < 0x10000n ? 2 : value < 0x1_0000_0000n ? 4 : 8
  const width = Math.max(needed, widthMin)
  if (width === 0) return Uint8Array.of((kind << 5) | Number(value))
  const bytes = new Uint8Array(1 + width)
  bytes[0] = (kind << 5) | (24 + Math.log2(width))
  for (let i = width, rest = value; i > 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}
