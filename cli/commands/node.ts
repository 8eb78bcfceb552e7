import { revoke } from '../../client/revocation.ts'
import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Call, Command } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { requireIdentity } from '../owner.ts'
import { ownShards, takeSeats, type Shard } from '../seats.ts'
import { counted, shortId } from '../units.ts'

const prefixMin = 8
const nodeNotes = `NODE is its id as onehop status prints it, or the first digits of that (${prefixMin} at least).`

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
    'Was it your home? Live somewhere else first: onehop pair, or onehop recover with your words.',
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
    const node = await findNode(call, daemon, operands[0] ?? '', shards, [...identity.state.devices.keys()])
    if (toHex(node) === daemon.runtime.node)
      throw new OnehopError('BAD_REQUEST', 'this is the node that you are at', {
        help: 'Live somewhere else first, and do it there: onehop pair, or onehop recover with your words.',
      })

    const device = identity.state.devices.get(toHex(node))
    const wasDevice = device !== undefined && device.revoked === undefined
    if (wasDevice) await revoke({ call: daemon.call, crypto, identity, device: node, signal })
    const placed = await takeSeats(context, daemon, identity, [node], shards)

    if (output.json) output.line({ node, shards: placed, device: wasDevice, denied: true })
    else {
      if (placed.length === 0) output.words(`${shortId(node)} had no seat in a shard of yours.`)
      for (const { owner, members } of placed) {
        const whose = equalBytes(owner, identity.id) ? 'yours' : `the group ${shortId(owner)}`
        output.words(
          `${output.green('Took its seat')} in the shard of ${whose}: ${counted(members, 'node')} hold${members === 1 ? 's' : ''} it now.`,
        )
      }
      if (wasDevice) output.words(`${output.green('Revoked')} its key in your identity.`)
      output.words('This node speaks with it no more.')
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
  examples: [['onehop node allow 5f0c…', 'the whole id: it was found behind the sofa']],
  notes: 'NODE is its whole id, of 64 digits. It gets no seat back by this, nor a place in your identity.',
  async run({ operands: [text = ''], context, output }) {
    const node = fromHex(text.toLowerCase(), 32)
    if (node === undefined) throw new UsageError(`a node is 64 hex digits, not ${JSON.stringify(text)}`)
    const { call } = await context.daemon()
    const { denied } = await call('admin.deny.remove', { nodes: [node] }, { signal: context.signal })
    if (output.json) output.line({ node, denied })
    else output.words(`This node speaks with ${shortId(node)} again, should they meet.`)
    return exitCodes.ok
  },
}

async function findNode(
  { context }: Call,
  { call }: Daemon,
  text: string,
  shards: readonly Shard[],
  devices: readonly string[],
): Promise<Uint8Array> {
  const typed = text.toLowerCase()
  const whole = fromHex(typed, 32)
  if (whole !== undefined) return whole
  if (typed.length < prefixMin || !/^[0-9a-f]+$/.test(typed))
    throw new UsageError(
      `a node is named by the first digits of its id, ${prefixMin} at least, not ${JSON.stringify(text)}`,
      'onehop status lists neighbours.',
    )
  const { peers, node } = await call('admin.status', { limit: 1, brief: true }, { signal: context.signal })
  const seated = shards.flatMap(({ set }) => [...(set?.members ?? []), ...(set?.standby ?? [])])
  const known = new Set([...[...seated, ...peers, { node }].map((one) => toHex(one.node)), ...devices])
  const found = [...known].filter((name) => name.startsWith(typed))
  const [first, ...more] = found
  if (first !== undefined && more.length === 0) return fromHex(first, 32) as Uint8Array
  throw new OnehopError(
    'NOT_FOUND',
    `${first === undefined ? 'no' : 'more than one'} node that is known here begins with ${typed}`,
    { help: 'onehop status lists neighbours; the whole id, of 64 digits, is always taken.' },
  )
}
