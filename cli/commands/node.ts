import { revoke } from '../../client/identity/revocation.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Call, Command } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { pickId, prefixMin } from '../node-name.ts'
import { requireIdentity } from '../owner.ts'
import { ownShards, takeSeats, type Shard } from '../seats.ts'
import { counted, shortId } from '../units.ts'

const nodeNotes = `NODE is its id as onehop status prints it, or the first digits of that (${prefixMin} at least).`

export const node: Command = {
  name: 'node',
  summary: 'nodes that this one speaks with no more',
  operands: [],
  options: {},
  examples: [['onehop node', 'whole ids of those that were revoked here (onehop node revoke)']],
  async run({ context, output }) {
    const { call } = await context.daemon()
    const { nodes } = await call('admin.deny.list', {}, { signal: context.signal })
    if (output.json) for (const denied of nodes) output.line({ node: denied, denied: true })
    else if (nodes.length === 0) output.words('This node speaks with everybody.')
    else {
      output.words('This node speaks with these no more. onehop node allow NODE undoes that.')
      output.data(nodes.map(toHex).join('\n'))
    }
    return exitCodes.ok
  },
}

export const nodeRevoke: Command = {
  name: 'node revoke',
  summary: 'have nothing more to do with a node: a box that was stolen, or that you do not trust',
  operands: ['NODE'],
  options: {},
  examples: [['onehop node revoke 5f0c9a31', 'at the node where you live now']],
  notes: [
    nodeNotes,
    'It loses its seat in your shard and in those of groups that you own and that live here; others get copies in its place.',
    'If your identity has let it in as a device, that ends too. This node speaks with it no more: onehop node allow undoes that.',
    'Was it your home? Live somewhere else first: onehop recover there, with your words, makes its command line yours.',
  ].join('\n'),
  async run(call) {
    const { operands, context, output } = call
    const { signal } = context
    const identity = await requireIdentity(context)
    const crypto = await context.crypto()
    const daemon = await context.daemon()
    const { log } = await daemon.call('identity.get', { identity: identity.id }, { signal })
    await identity.learn(log)
    const shards = await ownShards(context, daemon, identity.id)
    const found = await findNode(call, daemon, operands[0] ?? '', shards, [...identity.state.devices.keys()])
    if (toHex(found) === daemon.runtime.node)
      throw new OnehopError('BAD_REQUEST', 'this is the node that you are at', {
        help: 'Live somewhere else first, and do it there: onehop recover, with your words, makes the command line there yours.',
      })

    const device = identity.state.devices.get(toHex(found))
    const wasDevice = device !== undefined && device.revoked === undefined
    if (wasDevice) await revoke({ call: daemon.call, crypto, identity, device: found, signal })
    const placed = await takeSeats(context, daemon, identity, [found], shards)

    if (output.json) output.line({ node: found, shards: placed, device: wasDevice, denied: true })
    else {
      if (placed.length === 0) output.words(`${shortId(found)} had no seat in a shard of yours.`)
      for (const { owner, members } of placed) {
        const where = equalBytes(owner, identity.id)
          ? 'your shard'
          : `the shard of the group ${shortId(owner)}`
        output.words(
          `${output.green('Took its seat')} in ${where}: ${counted(members, 'node')} hold${members === 1 ? 's' : ''} it now.`,
        )
      }
      if (wasDevice) output.words(`${output.green('Revoked')} its key in your identity.`)
      output.words(
        `This node speaks with it no more: ${toHex(found)}. onehop node allow ${shortId(found)} undoes that.`,
      )
      output.words(
        output.yellow(
          'What it held in the open it may keep: what is public, who lives with whom, sizes and times. What is sealed it could not read.',
        ),
      )
    }
    return exitCodes.ok
  },
}

export const nodeAllow: Command = {
  name: 'node allow',
  summary: 'speak again with a node that was revoked here',
  operands: ['NODE'],
  options: {},
  examples: [['onehop node allow 5f0c9a31', 'it was found behind the sofa']],
  notes: [
    `NODE is its id as onehop node lists it, or the first digits of that (${prefixMin} at least).`,
    'It gets no seat back by this, nor a place in your identity: a key that was revoked is never admitted again. To live at it',
    'again, start it with another --state folder (onehop start --state DIR): that makes it another node.',
  ].join('\n'),
  async run({ operands: [text = ''], context, output }) {
    const { signal } = context
    const { call } = await context.daemon()
    const found = await findDenied(call, text, signal)
    const { denied } = await call('admin.deny.remove', { nodes: [found] }, { signal })
    if (output.json) output.line({ node: found, denied })
    else output.words(`This node speaks with ${shortId(found)} again, should they meet.`)
    return exitCodes.ok
  },
}

const listsDenied = 'onehop node lists those that are denied.'

/** To allow one that nobody denies changes nothing. */
function findDenied(call: Daemon['call'], typed: string, signal: AbortSignal): Promise<Uint8Array> {
  return pickId(typed, { what: 'node that is denied here', help: listsDenied }, async () => {
    const { nodes } = await call('admin.deny.list', {}, { signal })
    return nodes.map(toHex)
  })
}

function findNode(
  { context }: Call,
  { call }: Daemon,
  text: string,
  shards: readonly Shard[],
  devices: readonly string[],
): Promise<Uint8Array> {
  const help = 'onehop status lists neighbours; the whole id, of 64 digits, is always taken.'
  return pickId(text, { what: 'node that is known here', help }, async () => {
    const { peers, node: self } = await call(
      'admin.status',
      { limit: 1, brief: true },
      { signal: context.signal },
    )
    const seated = shards.flatMap(({ set }) => [...(set?.members ?? []), ...(set?.standby ?? [])])
    return [...[...seated, ...peers, { node: self }].map((one) => toHex(one.node)), ...devices]
  })
}
