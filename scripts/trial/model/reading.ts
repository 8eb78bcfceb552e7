import { microblog } from '../../../client/microblog.ts'
import { openSession } from '../../../client/session.ts'
import type { Transport } from '../../../client/transport.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { decodeViewAnswer, type ViewAnswer } from '../../../protocol/query/view-answer.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import type { SignedRecord } from '../../../protocol/record/types.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Writer } from './writer.ts'

/** A transport to the node that speaks for the person. */
export function sessionOf(node: NodeProcess, person: number, writer: Writer): Transport {
  const { state, device } = writer.person(person)
  return openSession(node.public, { crypto: writer.crypto, owner: state.id, device })
}

export interface HomePage {
  readonly answer: ViewAnswer
  readonly requestsBetweenNodes: number
  readonly elapsedMs: number
}

export async function readHome(
  session: Transport,
  owner: Uint8Array,
  signal: AbortSignal,
): Promise<HomePage> {
  const startedMs = performance.now()
  const reply = await session.call('view.get', { owner, app: microblog.id, view: 'home' }, { signal })
  const elapsedMs = performance.now() - startedMs
  const answer = decodeViewAnswer(reply.view)
  return { answer, requestsBetweenNodes: reply.requestsBetweenNodes + answer.askedNodes, elapsedMs }
}

/** Ids of everything in a collection, as one node lists it to anybody. */
export async function listIds(
  node: Pick<Transport, 'call'>,
  owner: Uint8Array,
  collection: string,
  crypto: CryptoProvider,
  signal: AbortSignal,
): Promise<Set<string>> {
  const ids = new Set<string>()
  let before: { clock: bigint; id: Uint8Array } | undefined
  do {
    const request = { owner, app: microblog.id, collection, limit: 200, ...(before && { before }) }
    const { records, more } = await node.call('record.list', request, { signal })
    for (const bytes of records) ids.add(toHex(decode(crypto, bytes).id))
    before = more ?? undefined
  } while (before !== undefined)
  return ids
}

export function decode(crypto: CryptoProvider, bytes: Uint8Array): SignedRecord {
  return decodeRecord(crypto, bytes)
}
