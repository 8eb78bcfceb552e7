import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { compareVersions, isTombstone } from '../../protocol/record/merge.ts'
import type { Fields } from '../../protocol/record/types.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import type { MeshNode } from '../support/mesh.ts'
import type { Issued } from './history.ts'
import { isOlder, Session } from './session.ts'
import { holdersOf, type World } from './world.ts'
import type { SimPerson, Written } from './writer.ts'

type Kind = 'put' | 'edit' | 'delete' | 'read' | 'follow up' | 'status'

/**
 * What apps do, one thing at a time, at any running holder. Answers are judged as they come: a node never shows
 * less than what it acknowledged or showed before, nothing that nobody wrote, and no copies that do not exist.
 */
export class Clients {
  readonly counts: Record<Kind, number> = {
    put: 0,
    edit: 0,
    delete: 0,
    read: 0,
    'follow up': 0,
    status: 0,
  }
  readonly #world: World
  readonly #nowMs: (node: MeshNode) => number
  /** By node and item: the newest version that this node acknowledged or showed. */
  readonly #known = new Map<string, Issued>()
  /** By owner: their own app, which talks to any holder. */
  readonly #sessions = new Map<string, Session>()
  #text = 0

  readonly #later: (delayMs: number, action: () => Promise<void>) => void

  constructor(
    world: World,
    nowMs: (node: MeshNode) => number,
    later: (delayMs: number, action: () => Promise<void>) => void,
  ) {
    this.#later = later
    this.#world = world
    this.#nowMs = nowMs
  }

  /** Draws one operation and sets it off. Its answer is noted when it comes. */
  act(): void {
    const { draw, people, history } = this.#world
    const person = draw.pick(people)
    const holders = holdersOf(this.#world, person.owner)
    if (holders.length === 0) return
    const node = draw.pick(holders)
    const earlier = history.of(toHex(person.owner)).slice(-40)
    const kind = earlier.length < 5 ? 'put' : this.#drawKind()
    this.counts[kind]++
    if (kind === 'read') this.#start(this.#read(node, draw.pick(earlier)))
    else if (kind === 'follow up') this.#start(this.#followUp(node, draw.pick(earlier)))
    else if (kind === 'status') this.#start(this.#status(node, draw.pick(earlier)))
    else if (kind === 'put') this.#start(this.#write(node, person, undefined, 'put'))
    else if (kind === 'edit' && draw.chance(0.2))
      this.#start(this.#writeTwins([node, draw.pick(holders)], person, draw.pick(earlier)))
    else this.#start(this.#write(node, person, draw.pick(earlier), kind === 'delete' ? 'delete' : 'put'))
  }

  #drawKind(): Kind {
    const value = this.#world.draw.between(0, 1)
    if (value < 0.35) return 'put'
    if (value < 0.55) return 'edit'
    if (value < 0.65) return 'delete'
    if (value < 0.8) return 'read'
    return value < 0.93 ? 'follow up' : 'status'
  }

  async #write(
    node: MeshNode,
    person: SimPerson,
    target: Issued | undefined,
    operation: 'put' | 'delete',
  ): Promise<void> {
    const { draw } = this.#world
    const collection = target?.collection ?? (draw.chance(0.7) ? 'posts' : 'follows')
    const user = draw.pick(this.#world.people).owner
    const key = target?.key ?? (collection === 'posts' ? new Uint8Array(0) : user)
    const written = draw
      .pick(person.writers)
      .sign(collection, key, operation, this.#value(collection, key), this.#nowMs(node))
    await this.#put(node, written)
  }

  /**
   * Two devices write one item at the same moment, each where it is; or one does twice, whose clock has no finer steps: whatever comes
   * first where, it is by device, then by id, that one of the two counts.
   */
  async #writeTwins(
    nodes: readonly [MeshNode, MeshNode],
    person: SimPerson,
    { collection, key }: Issued,
  ): Promise<void> {
    const { draw } = this.#world
    const [writer, twin] = [draw.pick(person.writers), draw.pick(person.writers)]
    const [operation, value] = [draw.chance(0.3) ? 'delete' : 'put', this.#value(collection, key)] as const
    const first = writer.sign(collection, key, 'put', this.#value(collection, key), this.#nowMs(nodes[0]))
    const second = twin.signDated(collection, key, operation, value, first.record.header.clock)
    await Promise.all([this.#put(nodes[0], first), this.#put(nodes[1], second)])
  }

  #value(collection: string, key: Uint8Array): Fields {
    return collection === 'posts' ? { text: `text ${this.#text++}` } : { user: key }
  }

  async #put(node: MeshNode, { record, bytes }: Written): Promise<void> {
    const { draw, history, trace } = this.#world
    const { collection, operation } = record.header
    const issued = history.issue(record)
    const askAgainMs = draw.chance(0.3) ? draw.between(20, 1_500) : undefined
    const { results } = await node.call('record.put', { records: [bytes] })
    const outcome = results[0]?.code ?? results[0]?.outcome
    trace.add(`write ${operation} ${collection} node=${node.index} ${issued.name} ${outcome}`)
    if (results[0]?.outcome === 'refused') return
    issued.acknowledgedBy.add(node.index)
    this.#learn(node, issued)
    this.#sessionOf(issued).learn(issued)
    // While the copies are still being made: later there are all of them, whatever is counted.
    if (askAgainMs !== undefined) this.#later(askAgainMs, async () => this.#askCopies(node.index, issued))
  }

  #askCopies(index: number, issued: Issued): void {
    const { up, mesh } = this.#world
    if (!up.has(index)) return
    this.counts.status++
    this.#start(this.#status(mesh.nodes[index] as MeshNode, issued))
  }

  async #read(node: MeshNode, target: Issued): Promise<void> {
    const { trace, history, mesh, rotted } = this.#world
    const { owner } = target.record.header
    const place = `${node.index} ${target.item}`
    const before = rotted.has(node.index) ? undefined : this.#known.get(place)
    const { records } = await node.call('record.get', {
      owner,
      app: microblog.id,
      collection: target.collection,
      keys: [target.key],
    })
    const shown =
      records[0] === null || records[0] === undefined ? undefined : decodeRecord(mesh.crypto, records[0])
    const name = shown && toHex(shown.id)
    trace.add(`read node=${node.index} ${target.name} -> ${name}`)
    const issued = name === undefined ? undefined : history.get(name)
    if (shown !== undefined && issued === undefined)
      this.#fail(`node ${node.index} shows ${name}, which nobody wrote`)
    if (before !== undefined && issued === undefined && !isTombstone(before.record)) {
      this.#fail(`node ${node.index} showed ${before.name}, and now nothing of ${target.item}`)
    }
    if (before !== undefined && issued !== undefined && compareVersions(issued.record, before.record) < 0) {
      this.#fail(`node ${node.index} went back from ${before.name} to ${issued.name}`)
    }
    if (issued !== undefined) this.#learn(node, issued)
  }

  /** With the token of the session: read-your-writes and never back in time, whichever holder answers. */
  async #followUp(node: MeshNode, target: Issued): Promise<void> {
    const { trace, history, mesh } = this.#world
    const { owner } = target.record.header
    const session = this.#sessionOf(target)
    const known = session.newest(target.item)
    const request = { owner, app: microblog.id, collection: target.collection, keys: [target.key] }
    const { records } = await node.call('record.get', { ...request, seen: session.token() })
    const shown = records[0] ? decodeRecord(mesh.crypto, records[0]) : undefined
    trace.add(`follow up node=${node.index} ${target.name} -> ${shown && toHex(shown.id)}`)
    if (isOlder(shown, known) && !history.isExempt(known as Issued))
      this.#fail(`node ${node.index} answers a session with less than it knows: ${known?.name}`)
    const issued = shown && history.get(toHex(shown.id))
    if (issued !== undefined) session.learn(issued)
  }

  #sessionOf({ owner }: Issued): Session {
    const session = this.#sessions.get(owner) ?? new Session()
    this.#sessions.set(owner, session)
    return session
  }

  async #status(node: MeshNode, target: Issued): Promise<void> {
    const { mesh, trace, lied, rotted } = this.#world
    const { header, id } = target.record
    const { copies } = await node.call('record.status', { owner: header.owner, ids: [id] })
    const ref = { clock: header.clock, id }
    // Disks of nodes that are down count: the record is there.
    const held = mesh.nodes.filter(({ store }) => store.records.get(header.owner, ref) !== undefined).length
    trace.add(`status node=${node.index} ${target.name} says=${copies[0]} held=${held}`)
    if ((copies[0] ?? 0) > held + new Set([...lied, ...rotted]).size) {
      this.#fail(`node ${node.index} says ${copies[0]} copies of ${target.name}, there are ${held}`)
    }
  }

  #learn(node: MeshNode, issued: Issued): void {
    const place = `${node.index} ${issued.item}`
    const before = this.#known.get(place)
    if (before === undefined || compareVersions(issued.record, before.record) > 0)
      this.#known.set(place, issued)
  }

  #start(operation: Promise<void>): void {
    operation.catch((error: unknown) => {
      const { code, message } = asOnehopError(error)
      this.#world.trace.add(`failed ${code} ${message}`)
      if (code === 'INTERNAL') this.#fail(`an operation broke: ${(error as Error).stack}`)
    })
  }

  #fail(what: string): void {
    this.#world.failures.push(`${this.#world.mesh.clock.monotonicMs().toFixed(0)} ms: ${what}`)
  }
}
