/** Changes of valid messages: mostly of the tree that they are, the rest of their bytes. One seed, the same inputs. */
import { concatBytes, utf8 } from '../../protocol/bytes.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { branch, type Branch, growTree, major, writeTree } from './tree.ts'

/** No frame is longer; a message that grows with each change ends here. */
const inputBytesMax = 1024 * 1024 + 64

const edges = [
  0n,
  1n,
  2n,
  23n,
  24n,
  255n,
  256n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 48n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]
const lengths = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1025]
const texts = [
  '',
  '/',
  '/geo',
  '\u0000',
  '\ufeff',
  'é',
  '😀',
  '__proto__',
  'constructor',
  'a'.repeat(65),
  '/a'.repeat(200),
]
const rawItems = [
  [0xf4],
  [0xf5],
  [0xf6],
  [0xf7],
  [0xe0],
  [0xf8, 0xff],
  [0xf9, 0x7e, 0x00],
  [0xf9, 0x7c, 0x00],
  [0xf9, 0x3c, 0x00],
  [0xfa, 0x47, 0xc3, 0x50, 0x00],
  [0xfb, 0x7f, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xfb, 0, 0, 0, 0, 0, 0, 0, 1],
  [0x9f, 0xff],
  [0xbf, 0xff],
  [0x5f, 0xff],
  [0xc0, 0x00],
  [0x62, 0xc3, 0x28],
].map((bytes) => Uint8Array.from(bytes))

export class Mutator {
  readonly #random: SeededRandom
  readonly #corpus: Uint8Array[]
  /** Places in the corpus of what is large, and of what is not: large inputs take as long as a hundred others. */
  readonly #small: number[] = []
  readonly #large: number[] = []

  constructor(random: SeededRandom, seeds: readonly Uint8Array[]) {
    this.#random = random
    this.#corpus = []
    for (const seed of seeds.length === 0 ? [Uint8Array.of(0x80)] : seeds) this.keep(seed)
  }

  /** One more to begin from: it reached what none before it did. */
  keep(input: Uint8Array): void {
    const list = input.length > 4_096 ? this.#large : this.#small
    list.push(this.#corpus.length)
    this.#corpus.push(input)
  }

  next(): Uint8Array {
    let bytes = this.#pick()
    const tree = this.#below(5) === 0 ? undefined : growTree(bytes)
    if (tree !== undefined) {
      do this.#changeTree(tree)
      while (this.#below(2) === 0)
      bytes = writeTree(tree)
    }
    // Bytes that are no tree have nothing but their bytes to change; a changed tree sometimes.
    if (tree === undefined || this.#below(10) === 0) {
      do bytes = this.#changeBytes(bytes)
      while (this.#below(3) === 0)
    }
    return bytes.length > inputBytesMax ? bytes.subarray(0, inputBytesMax) : bytes
  }

  #below(count: number): number {
    return Math.floor(this.#random.next() * count)
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T
  }

  #pick(): Uint8Array {
    const large = this.#small.length === 0 || (this.#large.length > 0 && this.#below(200) === 0)
    return this.#corpus[this.#of(large ? this.#large : this.#small)] as Uint8Array
  }

  #changeTree(tree: Branch): void {
    const all: Branch[] = []
    collect(tree, all)
    const target = this.#of(all)
    const holders = all.filter(({ items }) => items.length > 0)
    switch (this.#below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#changeLeaf(target)
      case 3:
        return replace(target, copy(this.#of(all)))
      case 4: {
        const other = growTree(this.#pick())
        if (other === undefined) return
        const from: Branch[] = []
        collect(other, from)
        return replace(target, copy(this.#of(from)))
      }
      case 5:
        return replace(target, this.#anything())
      case 6: {
        // Within what the decoder would count, and beyond.
        const holder = this.#of(holders.length > 0 ? holders : [target])
        if (holder.items.length === 0) return
        const at = this.#below(holder.items.length)
        const times = this.#below(40) === 0 ? 300 : 1 + this.#below(3)
        const item = holder.items[at] as Branch
        holder.items.splice(at, 0, ...Array.from({ length: times }, () => copy(item)))
        return
      }
      case 7: {
        const holder = this.#of(holders.length > 0 ? holders : [target])
        holder.items.splice(this.#below(holder.items.length), 1 + this.#below(2))
        return
      }
      case 8: {
        const holder = this.#of(holders.length > 0 ? holders : [target])
        const [a, b] = [this.#below(holder.items.length), this.#below(holder.items.length)]
        if (holder.items.length === 0) return
        const kept = holder.items[a] as Branch
        holder.items[a] = holder.items[b] as Branch
        holder.items[b] = kept
        return
      }
      case 9: {
        let inner = copy(target)
        const levels = this.#below(10) === 0 ? 5_000 : 1 + this.#below(20)
        // A tree that deep is beyond the stack of whoever walks it by recursion, ours first.
        if (levels > 100) {
          const heads = new Uint8Array(levels).fill(0x81)
          return replace(target, branch(major.raw, { bytes: concatBytes(heads, Uint8Array.of(0x80)) }))
        }
        for (let level = 0; level < levels; level++) inner = branch(major.array, { items: [inner] })
        return replace(target, inner)
      }
      case 10:
        target.width = this.#of([1, 2, 4, 8])
        return
      default:
        // A list where a map belongs, text where bytes do, a negative number for one that is not.
        if (target.major !== major.raw) target.major ^= 1
    }
  }

  #changeLeaf(target: Branch): void {
    if (target.major <= major.negative) {
      const near = target.value + BigInt(this.#below(3) - 1)
      target.value = this.#below(2) === 0 ? this.#of(edges) : BigInt.asUintN(64, near)
    } else if (target.major === major.text) {
      target.bytes = this.#below(3) === 0 ? this.#changeBytes(target.bytes) : utf8(this.#of(texts))
    } else if (target.major === major.bytes && target.items.length === 0) {
      if (this.#below(3) === 0) target.bytes = this.#random.bytes(this.#of(lengths))
      else target.bytes = this.#changeBytes(target.bytes)
    } else replace(target, this.#anything())
  }

  #anything(): Branch {
    switch (this.#below(6)) {
      case 0:
        return branch(major.uint, { value: this.#of(edges) })
      case 1:
        return branch(major.negative, { value: this.#of(edges) })
      case 2:
        return branch(major.bytes, { bytes: this.#random.bytes(this.#of(lengths)) })
      case 3:
        return branch(major.text, { bytes: utf8(this.#of(texts)) })
      case 4:
        return branch(this.#of([major.array, major.map]))
      default:
        return branch(major.raw, { bytes: this.#of(rawItems) })
    }
  }

  #changeBytes(bytes: Uint8Array): Uint8Array {
    const at = this.#below(bytes.length + 1)
    const end = Math.min(bytes.length, at + 1 + this.#below(16))
    switch (this.#below(7)) {
      case 0:
        return bytes.subarray(0, at)
      case 1:
        return concatBytes(bytes.subarray(0, at), bytes.subarray(end))
      case 2:
        return concatBytes(bytes.subarray(0, at), this.#random.bytes(1 + this.#below(8)), bytes.subarray(at))
      case 3:
        return concatBytes(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end))
      case 4: {
        const other = this.#pick()
        return concatBytes(bytes.subarray(0, at), other.subarray(this.#below(other.length + 1)))
      }
      default: {
        if (bytes.length === 0) return this.#random.bytes(1)
        const changed = bytes.slice()
        const place = at % bytes.length
        const byte = changed[place] as number
        changed[place] = this.#below(2) === 0 ? byte ^ (1 << this.#below(8)) : this.#of([0, 0x7f, 0x80, 0xff])
        return changed
      }
    }
  }
}

function collect(tree: Branch, into: Branch[]): void {
  into.push(tree)
  for (const item of tree.items) collect(item, into)
}

function copy(tree: Branch): Branch {
  return { ...tree, items: tree.items.map(copy) }
}

function replace(target: Branch, by: Branch): void {
  Object.assign(target, by)
}
