import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { decodeReceipts, encodePush } from '../../protocol/replication/messages.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { bytesOf, groupOrder, numberOf } from '../verdicts/points.ts'
import type { MeshNode } from '../support/mesh.ts'
import { holdersOf, type World } from './world.ts'
import { Writer, type SimPerson } from './writer.ts'

const kinds = ['signature', 'S+L', 'section', 'stranger', 'foreign', 'ahead', 'old', 'plain'] as const
export type Forgery = (typeof kinds)[number]

/** Beyond what a record may be old when it is written. */
const oldMs = 61 * 86_400_000

/** What a faulty app writes into a private collection as it is: on no disk. */
export const plainText = 'nobody seals what this app writes'

/** Who try to get in what does not belong there: as an app, or as another node that brings it. All of it is refused. */
export class Forgers {
  readonly counts: Record<Forgery, number> = {
    signature: 0,
    'S+L': 0,
    section: 0,
    stranger: 0,
    foreign: 0,
    ahead: 0,
    old: 0,
    plain: 0,
  }
  readonly #world: World
  readonly #nowMs: (node: MeshNode) => number
  /** Does the node take another year for this one: what is ahead there is none to others. */
  readonly #isAstray: (node: MeshNode) => boolean

  constructor(world: World, nowMs: (node: MeshNode) => number, isAstray: (node: MeshNode) => boolean) {
    this.#isAstray = isAstray
    this.#world = world
    this.#nowMs = nowMs
  }

  act(): void {
    const { draw, people, history, mesh } = this.#world
    const person = draw.pick(people)
    const holders = holdersOf(this.#world, person.owner)
    const earlier = history.of(toHex(person.owner)).slice(-40)
    if (holders.length === 0 || earlier.length === 0) return
    const [node, kind] = [draw.pick(holders), draw.pick(kinds)]
    if (kind === 'ahead' && this.#isAstray(node)) return
    const bytes = this.#forge(kind, person, draw.pick(earlier).record, node)
    if (bytes === undefined) return
    this.counts[kind]++
    const sender = draw.pick(mesh.nodes)
    // How old a record may be, and what an app may write, is for whoever it is written at: others bring what was taken.
    // A liar says of all that it keeps it.
    const isHeard = !this.#world.lied.has(node.index)
    const asPeer =
      kind !== 'old' &&
      kind !== 'plain' &&
      isHeard &&
      sender !== node &&
      this.#world.up.has(sender.index) &&
      draw.chance(0.5)
    const told = asPeer ? this.#bring(sender, node, bytes) : this.#write(node, bytes)
    const skewMs = this.#skewMs(node)
    told.then(
      (outcome) => {
        // Its clock moved while this was on its way: it may be ahead no more, and then it is a record like others.
        if (kind === 'ahead' && outcome !== 'refused' && this.#skewMs(node) !== skewMs)
          history.issue(decodeRecord(mesh.crypto, bytes))
        else this.#judge(kind, node, outcome)
      },
      (error: unknown) => this.#world.trace.add(`forged ${kind} failed ${asOnehopError(error).code}`),
    )
  }

  #skewMs(node: MeshNode): number {
    return this.#nowMs(node) - this.#world.mesh.clock.nowMs()
  }

  #forge(kind: Forgery, person: SimPerson, record: SignedRecord, node: MeshNode): Uint8Array | undefined {
    const { people, draw, mesh } = this.#world
    const other = people[(people.indexOf(person) + 1) % people.length] as SimPerson
    const nowMs = this.#nowMs(node)
    switch (kind) {
      case 'signature': {
        const signature = record.signature.slice()
        const at = Math.floor(draw.between(0, 63))
        signature[at] = (signature[at] as number) ^ 1
        return encodeRecord({ ...record, signature })
      }
      case 'S+L': {
        const signature = record.signature.slice()
        signature.set(bytesOf(numberOf(signature.subarray(32)) + groupOrder), 32)
        return encodeRecord({ ...record, signature })
      }
      case 'section': {
        const [first, ...rest] = record.sections
        if (first === undefined) return undefined
        const changed = first.slice()
        const at = first.length - 1
        changed[at] = (changed[at] as number) ^ 1
        return encodeRecord({ ...record, sections: [changed, ...rest] })
      }
      // A device that no log admits, and one of a person who is nobody's member here.
      case 'stranger':
        return this.#post(new Writer(mesh.crypto, person.owner, other.owning), nowMs)
      case 'foreign':
        return this.#post(new Writer(mesh.crypto, person.owner, other.owning, other.owner), nowMs)
      case 'ahead':
        return this.#post(person.wrongClock, nowMs + this.#world.pace.aheadMs)
      case 'old':
        return this.#post(person.wrongClock, nowMs - oldMs)
      case 'plain': {
        // Under its own name it is refused for that; under a blinded one for what is in it.
        const name = draw.chance(0.5) ? 'notes' : `~${'n'.repeat(43)}`
        const [key, value] = [mesh.random.bytes(32), { text: plainText }]
        return person.wrongClock.signDated('notes', key, 'put', value, clockOf(nowMs), name).bytes
      }
    }
  }

  #post(writer: Writer, nowMs: number): Uint8Array {
    return writer.signDated('posts', new Uint8Array(0), 'put', { text: 'forged' }, clockOf(nowMs)).bytes
  }

  async #write(node: MeshNode, bytes: Uint8Array): Promise<string> {
    const { results } = await node.call('record.put', { records: [bytes] })
    return results[0]?.outcome ?? 'nothing'
  }

  async #bring(sender: MeshNode, node: MeshNode, bytes: Uint8Array): Promise<string> {
    const place = this.#world.places.get(sender.index)
    if (place === undefined) return 'refused'
    const signal = new AbortController().signal
    const reply = await place.rpc.request(node.id, 'shard/push', encodePush([bytes]), { signal })
    return decodeReceipts(reply)[0] === 'held' ? 'held' : 'refused'
  }

  #judge(kind: Forgery, node: MeshNode, outcome: string): void {
    const { trace, failures, mesh } = this.#world
    trace.add(`forged ${kind} node=${node.index} ${outcome}`)
    if (outcome !== 'refused')
      failures.push(
        `${mesh.clock.monotonicMs().toFixed(0)} ms: node ${node.index} took what was forged (${kind})`,
      )
  }
}
