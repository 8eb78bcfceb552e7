import type { IncomingMessage } from 'node:http'
import {
  checkBody,
  checkTime,
  isSigned,
  readSignature,
  verifySignature,
} from '../../protocol/api/http-signature.ts'
import type { HttpRequest } from '../../protocol/api/http-signature.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { SessionPorts } from './sessions.ts'
import { UsedNonces } from './used-nonces.ts'

export interface SignedBy {
  readonly owner: IdentityId
  readonly device: DeviceKey
  /** Throws UNAUTHENTICATED unless the body is what was signed. */
  readonly checkBody: (body: Uint8Array) => void
}

export interface SignedRequests {
  /**
   * Who signed the request; undefined where it does not say that it is signed. One that says so must be good:
   * UNAUTHENTICATED, BUSY, and what `admit` throws. Good once: the nonce is taken.
   */
  identify(request: IncomingMessage): SignedBy | undefined
}

/** Requests that devices sign one by one (RFC 9421), as README.md of protocol has them. */
export function createSignedRequests(ports: Omit<SessionPorts, 'random'>): SignedRequests {
  const { crypto, clock, node } = ports
  const used = new UsedNonces(clock.nowMs())
  return {
    identify(request) {
      const asked = readRequest(request)
      if (!isSigned(asked.field)) return undefined
      if (request.headers.authorization !== undefined)
        throw new OnehopError('UNAUTHENTICATED', 'the request is signed and brings a token too: one of them')
      const nowMs = clock.nowMs()
      const signature = readSignature(asked)
      const { owner, device, nonce, createdS } = signature
      if (signature.node !== undefined && !equalBytes(signature.node, node))
        throw new OnehopError('UNAUTHENTICATED', `the signature is for another node; this is ${toHex(node)}`)
      checkTime(signature, nowMs)
      // Membership is asked of memory, and before the signature: strangers' keys cost no arithmetic.
      const as = ports.admit(owner, device)
      if (!verifySignature(crypto, signature))
        throw new OnehopError('UNAUTHENTICATED', 'the device did not sign this request', {
          help: 'Sign what is sent: method, host with port, path, query and body as the node receives them.',
        })
      used.take({ owner, device, nonce, createdS, as }, nowMs)
      return { owner, device, checkBody: (body) => checkBody(crypto, signature, asked.field, body) }
    },
  }
}

function readRequest(request: IncomingMessage): HttpRequest {
  const url = request.url ?? ''
  const from = url.indexOf('?')
  return {
    method: request.method ?? '',
    authority: request.headers.host ?? '',
    path: from < 0 ? url : url.slice(0, from),
    query: from < 0 ? '' : url.slice(from),
    field: (name) => request.headersDistinct[name],
  }
}
