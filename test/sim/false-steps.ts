import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import { decodeStepSignatures, encodePlaced, encodeSteps } from '../../protocol/placement/messages.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
  type Seat,
  type SignedReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { meshNodeSeed, type MeshNode } from '../support/mesh.ts'
import { chainOn, holdersOf, type World } from './world.ts'
import type { SimPerson } from './writer.ts'

/**
 * Members that want to decide alone who holds a shard: one brings a step that nobody else signed, half of them bring one that puts
 * somebody out, one asks another member for two successors of one set. None of it may be had.
 */
export class FalseSteps {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  act(): void {
    const { draw, people, trace } = this.#world
    const person = draw.pick(people)
    const [liar, member, ...others] = draw.shuffled(holdersOf(this.#world, person.owner))
    if (liar === undefined || member === undefined) return
    const kind = draw.pick(['alone', 'alone', 'half', 'twice'])
    const told =
      kind === 'twice'
        ? this.#askTwice(liar, member, person)
        : this.#bring(kind === 'alone' ? [liar] : [liar, ...others], member, person, kind === 'half')
    told.catch((error: unknown) => trace.add(`false step ${kind} failed ${asOnehopError(error).code}`))
  }

  async #bring(
    willing: readonly MeshNode[],
    member: MeshNode,
    { owner, log }: SimPerson,
    isRemoval: boolean,
  ): Promise<void> {
    const { mesh, places, trace } = this.#world
    const [liar] = willing as [MeshNode]
    const before = chainOn(this.#world, liar, owner)
    if (before === undefined) return
    const { members } = before.newest
    const most = isRemoval ? Math.floor(members.length / 2) : 1
    const liars = willing.filter(({ id }) => members.some(({ node }) => toHex(node) === id)).slice(0, most)
    const [document] = isRemoval ? this.#removals(before.newest, liars) : this.#additions(before.newest)
    if (document === undefined || liars.length < most) return
    const signatures = liars.map(({ index }) =>
      signReplicaSet(mesh.crypto, document, meshNodeSeed(mesh.crypto, index)),
    )
    const step = unpackReplicaSet(mesh.crypto, packReplicaSet(document, signatures))
    const chain = makeChain([...before.sets, step]).bytes
    const signal = new AbortController().signal
    const body = encodePlaced([{ chain, log, people: [] }])
    await places.get(liar.index)?.rpc.request(member.id, 'shard/take', body, { signal })
    // Others may have signed the very same by then.
    const known = chainOn(this.#world, member, owner)?.sets.find(({ hash }) => equalBytes(hash, step.hash))
    trace.add(`false step by ${liars.map(({ index }) => index).join()} at ${member.index}`)
    if (known?.signatures.length === liars.length)
      this.#fail(`node ${member.index} took a step that ${liars.length} of ${members.length} signed`)
  }

  async #askTwice(liar: MeshNode, member: MeshNode, { owner }: SimPerson): Promise<void> {
    const { places, trace } = this.#world
    const before = chainOn(this.#world, liar, owner)?.newest
    const documents = before === undefined ? [] : this.#replacements(before)
    const signal = new AbortController().signal
    const reply = await places
      .get(liar.index)
      ?.rpc.request(member.id, 'shard/sign-step', encodeSteps(documents), { signal })
    if (documents.length < 2 || reply === undefined) return
    const signed = decodeStepSignatures(reply).filter((one) => one !== undefined).length
    trace.add(`two steps by ${liar.index} at ${member.index}: ${signed}`)
    if (signed > 1) this.#fail(`node ${member.index} signed two successors of one set`)
  }

  /** Two that would stand, were they signed: a seat more, for one or another of those that stand by. */
  #additions(before: SignedReplicaSet): Uint8Array[] {
    if (before.standby.length < 2) return []
    return before.standby.slice(0, 2).map((newcomer) => stepOf(before, before.members, newcomer))
  }

  /** Of somebody who takes no part. */
  #removals(before: SignedReplicaSet, liars: readonly MeshNode[]): Uint8Array[] {
    const victim = before.members.find(({ node }) => !liars.some(({ id }) => id === toHex(node)))
    if (victim === undefined) return []
    return [
      stepOf(
        before,
        before.members.filter((seat) => seat !== victim),
      ),
    ]
  }

  /** Where somebody is gone others agree that it is replaced: by one of two, not by both. */
  #replacements(before: SignedReplicaSet): Uint8Array[] {
    const { mesh, up } = this.#world
    const isUp = ({ node }: Seat): boolean =>
      mesh.nodes.some(({ id, index }) => id === toHex(node) && up.has(index))
    const gone = before.members.find((seat) => !isUp(seat))
    if (gone === undefined || before.standby.length < 2) return this.#additions(before)
    const staying = before.members.filter((seat) => seat !== gone)
    return before.standby.slice(0, 2).map((newcomer) => stepOf(before, staying, newcomer))
  }

  #fail(what: string): void {
    this.#world.failures.push(`${this.#world.mesh.clock.monotonicMs().toFixed(0)} ms: ${what}`)
  }
}

function stepOf(before: SignedReplicaSet, staying: readonly Seat[], newcomer?: Seat): Uint8Array {
  return encodeReplicaSet({
    ...before,
    step: before.step + 1,
    previous: before.hash,
    members: newcomer === undefined ? staying : [...staying, newcomer],
    standby: before.standby.filter((seat) => seat !== newcomer),
  })
}
