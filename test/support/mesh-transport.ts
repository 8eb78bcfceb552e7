import { readReply } from '../../protocol/api/operations.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Transport } from '../../client/transport.ts'
import { identifySession } from '../../daemon/api/auth.ts'
import type { MeshNode } from './mesh.ts'

export interface ArrivedRequest {
  readonly operation: string
  readonly bytes: Uint8Array
}

/** The way of a phone or app to one node of a mesh: what the node's streams do, without the stream. `arrived` sees what is sent, before the node. */
export function meshTransport(
  { id, node }: MeshNode,
  arrived: (request: ArrivedRequest) => void = () => {},
): Transport {
  let token: string | undefined
  const transport: Transport = {
    address: `mesh:${id}`,
    binds: true,
    async call(operation, request, options = {}) {
      const signal = options.signal ?? new AbortController().signal
      const bind = (bound: string | undefined): void => {
        token = bound
      }
      const caller = identifySession(token, node.sessions)
      const call = { caller, signal, token, bind }
      const bytes = encode(request)
      arrived({ operation, bytes })
      const { reply } = await node.dispatch.call(operation, decode(bytes), 'cbor', call)
      return readReply(operation, decode(reply.bytes), 'cbor')
    },
    open: () => Promise.reject(new OnehopError('UNSUPPORTED', 'no live queries here')),
    live: async () => transport,
    close: async () => {},
  }
  return transport
}
