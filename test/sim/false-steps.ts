import { equalBytes } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import { decodeStepSignatures, encodePlaced, encodeSteps } from '../../protocol/placement/messages.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { meshNodeSeed, type MeshNode } from '../support/mesh.ts'
import { chainOn, holdersOf, type World } from './world.ts'
import type { SimPerson } from './writer.ts'

/**
 * A member that wants to decide alone who holds a shard: it brings a step that nobody else signed, or asks another member for two
 * successors of one set. Neither may be had.
 */
export class FalseSteps {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  act(): void {
    const { draw, people, trace } = this.#world
    const person = draw.pick(people)
    const [liar, member] = draw.shuffled(holdersOf(this.#world, person.owner))
    if (liar === undefined || member === undefined) return
    const kind = draw.chance(0.8) ? 'alone' : 'twice'
    const told = kind === 'alone' ? this.#bring(liar, member, person) : this.#askTwice(liar, member, person)
    told.catch((error: unknown) => trace.add(`false step ${kind} failed ${asOnehopError(error).code}`))
  }

  async #bring(liar: MeshNode, member: MeshNode, { owner, log }: SimPerson): Promise<void> {
    const { mesh, places, trace } = this.#world
    const [document] = this.#steps(liar, owner)
    const before = chainOn(this.#world, liar, owner)
    if (document === undefined || before === undefined) return
    const signature = signReplicaSet(mesh.crypto, document, meshNodeSeed(mesh.crypto, liar.index))
    const step = unpackReplicaSet(mesh.crypto, packReplicaSet(document, [signature]))
    const chain = makeChain([...before.sets, step]).bytes
    const signal = new AbortController().signal
    const body = encodePlaced([{ chain, log, people: [] }])
    await places.get(liar.index)?.rpc.request(member.id, 'shard/take', body, { signal })
    // Others may have signed the very same by then.
    const known = chainOn(this.#world, member, owner)?.sets.find(({ hash }) => equalBytes(hash, step.hash))
    trace.add(`false step by ${liar.index} at ${member.index}`)
    if (known?.signatures.length === 1) this.#fail(`node ${member.index} took a step that one member signed`)
  }

  async #askTwice(liar: MeshNode, member: MeshNode, { owner }: SimPerson): Promise<void> {
    const { places, trace } = this.#world
    const documents = this.#steps(liar, owner)
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
  #steps(liar: MeshNode, owner: Uint8Array): Uint8Array[] {
    const before = chainOn(this.#world, liar, owner)?.newest
    if (before === undefined || before.standby.length < 2) return []
    return before.standby.slice(0, 2).map((newcomer) => {
      const members = [...before.members, newcomer]
      const standby = before.standby.filter((seat) => seat !== newcomer)
      return encodeReplicaSet({ ...before, step: before.step + 1, previous: before.hash, members, standby })
    })
  }

  #fail(what: string): void {
    this.#world.failures.push(`${this.#world.mesh.clock.monotonicMs().toFixed(0)} ms: ${what}`)
  }
}
