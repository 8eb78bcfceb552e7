import { toHex } from '../../protocol/bytes.ts'
import type { RecordId, RecordRef } from '../../protocol/record/types.ts'
import { TwoHalves } from '../../storage/two-halves.ts'
import type { NodeId } from '../net/rpc.ts'

/** More than one message lists, in each half: what was listed last is known as a whole. */
const listedEachMax = 65_536
/** To all together, of some 250 bytes each. */
const listedMax = 131_072

/**
 * Where those records stand that were listed to a node, which is about to ask for them: ids alone name records on the wire, and
 * whoever asks for ids that nobody has must not make this node look for them. Each node's are apart, so that one which has
 * lists made all the time makes nobody forget what others were told.
 */
export class Listed {
  readonly #byNode = new Map<NodeId, TwoHalves<RecordRef>>()

  note(node: NodeId, ref: RecordRef): void {
    const listed = this.#byNode.get(node) ?? new TwoHalves<RecordRef>(listedEachMax)
    this.#byNode.set(node, listed)
    listed.set(toHex(ref.id), ref)
  }

  find(node: NodeId, id: RecordId): RecordRef | undefined {
    return this.#byNode.get(node)?.get(toHex(id))
  }

  /** After each message: where it is too much, whoever has the most is forgotten. */
  trim(): void {
    for (;;) {
      let [all, most] = [0, 0]
      let largest: NodeId | undefined
      for (const [node, { size }] of this.#byNode) {
        all += size
        if (size > most) [most, largest] = [size, node]
      }
      if (all <= listedMax || largest === undefined) return
      this.#byNode.delete(largest)
    }
  }
}
