/** A whole node in a process of its own, as a bench drives it. */
import { resolve } from 'node:path'
import type { ReplyOf, RequestOf, UnaryName } from '../../protocol/api/operations.ts'
import { startChild } from './child.ts'

export interface PeerSettings {
  /** Folder of keys and store. */
  readonly state: string
  /** An address of its own, such as 127.71.1.1, so that the rules of failure domains hold. */
  readonly host: string
  readonly operator: string
  readonly bootstrap: readonly string[]
}

/** What the peer answers when it is up. */
export interface PeerStarted {
  readonly id: string
  /** Multiaddr with its id. */
  readonly address: string
}

/** What a bench asks of the peer; `Answers` has what comes back. */
export type PeerRequest =
  /** Any operation, as whoever runs the node. */
  | { readonly ask: 'call'; readonly operation: UnaryName; readonly request: unknown }
  /** Writes one record after another, as an app would, each `everyMs` after the one before. */
  | { readonly ask: 'write'; readonly records: readonly Uint8Array[]; readonly everyMs: number }
  /** Resolves when so many records of the shard were put and read back here. */
  | { readonly ask: 'held'; readonly owner: Uint8Array; readonly records: number }
  | { readonly ask: 'socketBytes' }

/** Times are of the machine's monotonic clock, the same for all its processes. */
export interface Answers {
  readonly call: unknown
  /** When each write began and when it was answered. */
  readonly write: readonly { readonly id: string; readonly startNs: bigint; readonly endNs: bigint }[]
  /** When each record could be read. */
  readonly held: readonly { readonly id: string; readonly atNs: bigint }[]
  /** Everything that went over this process's TCP connections. */
  readonly socketBytes: { readonly read: number; readonly written: number }
}

export interface Peer extends AsyncDisposable, PeerStarted {
  ask<K extends keyof Answers>(request: Extract<PeerRequest, { ask: K }>): Promise<Answers[K]>
  call<N extends UnaryName>(operation: N, request: RequestOf<N>): Promise<ReplyOf<N>>
}

/** One request at a time. */
export async function startPeer(settings: PeerSettings): Promise<Peer> {
  const child = startChild(resolve(import.meta.dirname, 'peer-child.ts'), [JSON.stringify(settings)])
  const started = (await child.next()) as PeerStarted
  const ask = async (request: PeerRequest): Promise<unknown> => {
    child.send(request)
    const answer = (await child.next()) as { readonly value?: unknown; readonly error?: string }
    if (answer.error !== undefined) throw new Error(`${settings.operator}: ${answer.error}`)
    return answer.value
  }
  return {
    ...started,
    ask: ask as Peer['ask'],
    call: ((operation: UnaryName, request: unknown) =>
      ask({ ask: 'call', operation, request })) as Peer['call'],
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
