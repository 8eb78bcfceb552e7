import { fromFailure } from '../protocol/api/failure.ts'
import { apiLimits } from '../protocol/api/limits.ts'
import { readReply } from '../protocol/api/operations.ts'
import { concatBytes, toHex } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/codec.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { DeviceSecrets } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { systemClock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { clientLimits } from './limits.ts'
import { probe } from './race.ts'
import { requestSigner } from './request-signer.ts'
import { openSession, speaksFor } from './session.ts'
import type { CallOptions, Transport } from './transport.ts'
import { webSocketTransport } from './websocket.ts'
import type { OpenSocket } from './websocket.ts'

export interface HttpTransportOptions {
  /** `http://host:port`, without a path. */
  readonly address: string
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly openSocket?: OpenSocket | undefined
  readonly clock?: Clock | undefined
  readonly timeoutMs?: number | undefined
  /**
   * Signs each call that speaks for somebody, in place of a session: nothing to keep, nothing to renew. One question
   * comes first, for the node's time. Live queries open a session on their WebSocket.
   */
  readonly sign?: HttpSigning | undefined
}

export interface HttpSigning {
  readonly crypto: CryptoProvider
  readonly owner: IdentityId
  readonly device: DeviceSecrets
  /** The key that the node must have. */
  readonly node?: Uint8Array | undefined
}

/** One POST a call, CBOR both ways. Live queries open a WebSocket beside it, once. */
export function httpTransport(options: HttpTransportOptions): Transport {
  const { clock = systemClock, timeoutMs = clientLimits.callTimeoutMs } = options
  const address = options.address.replace(/\/+$/, '')
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const closed = new AbortController()
  const { sign } = options
  let offsetMs: number | undefined
  const signer = sign && requestSigner({ ...sign, clock, offsetMs: () => offsetMs ?? 0 })
  let socket: Promise<Transport> | undefined

  const send: Transport['call'] = async (operation, request, callOptions = {}) => {
    if (closed.signal.aborted) throw new OnehopError('CLOSED', 'this connection was closed')
    const body = encode(request, { bytesMax: apiLimits.bodyBytesMax })
    const headers: Record<string, string> = { 'content-type': 'application/cbor', accept: 'application/cbor' }
    const url = `${address}/api/v1/${operation}`
    if (callOptions.token !== undefined) headers['authorization'] = `Bearer ${toHex(callOptions.token)}`
    else if (signer !== undefined && speaksFor(operation))
      Object.assign(headers, signer({ method: 'POST', url, body }))
    return withDeadline(clock, callOptions.timeoutMs ?? timeoutMs, callOptions.signal, async (signal) => {
      let answer: { readonly ok: boolean; readonly bytes: Uint8Array }
      try {
        // A redirect would carry the token to whoever the node names.
        const init: RequestInit = {
          method: 'POST',
          headers,
          body: body as BodyInit,
          redirect: 'error',
          signal,
        }
        const response = await fetch(url, init)
        answer = { ok: response.ok, bytes: await readBody(response) }
      } catch (cause) {
        if (signal.aborted) throw signal.reason
        if (cause instanceof OnehopError) throw cause
        throw new OnehopError('UNREACHABLE', `${address} does not answer`, { cause })
      }
      const value = readValue(answer.bytes, address)
      if (!answer.ok) throw fromFailure(value, 'cbor')
      return readReply(operation, value, 'cbor')
    })
  }

  const measure = async (callOptions: CallOptions): Promise<void> => {
    const { signal } = callOptions
    const racer = { url: address, node: sign?.node }
    const found = await probe({ call: send }, racer, clock, callOptions.timeoutMs ?? timeoutMs, signal)
    offsetMs = found.offsetMs
  }

  const call: Transport['call'] = async (operation, request, callOptions = {}) => {
    const signs = signer !== undefined && callOptions.token === undefined && speaksFor(operation)
    if (!signs) return send(operation, request, callOptions)
    const isFirst = offsetMs === undefined
    if (isFirst) await measure(callOptions)
    try {
      return await send(operation, request, callOptions)
    } catch (cause) {
      // One of the two clocks may have been set since.
      if (isFirst || asOnehopError(cause).code !== 'UNAUTHENTICATED') throw cause
      await measure(callOptions)
      return send(operation, request, callOptions)
    }
  }

  const live = (): Promise<Transport> => {
    if (closed.signal.aborted) throw new OnehopError('CLOSED', 'this connection was closed')
    if (socket !== undefined) return socket
    const { openSocket } = options
    const dialled = webSocketTransport({ address, clock, timeoutMs, openSocket })
    const opened = dialled.then((transport) =>
      sign === undefined ? transport : openSession(transport, { ...sign, clock }),
    )
    socket = opened
    const forget = (): void => {
      if (socket === opened) socket = undefined
    }
    dialled.then(({ closed: gone }) => gone.addEventListener('abort', forget, { once: true }), forget)
    return opened
  }

  return {
    address,
    binds: false,
    call,
    open: async (operation, request, callOptions) => (await live()).open(operation, request, callOptions),
    live: async () => live(),
    async close() {
      if (closed.signal.aborted) return
      closed.abort(new OnehopError('CLOSED', 'this connection was closed'))
      const open = await socket?.catch(() => undefined)
      await open?.close()
    },
  }
}

/** What is no answer of a node (a proxy's page, a captive portal) is a node that cannot be reached. */
function readValue(bytes: Uint8Array, address: string): unknown {
  try {
    return decode(bytes, { bytesMax: apiLimits.frameBytesMax })
  } catch (cause) {
    throw new OnehopError('UNREACHABLE', `${address} answers, but not as a node`, {
      cause: asOnehopError(cause),
    })
  }
}

async function readBody(response: Response): Promise<Uint8Array> {
  const tooLarge = (): OnehopError =>
    new OnehopError('TOO_LARGE', 'the node sent more than an answer may hold')
  if (response.body === null) return new Uint8Array(0)
  const parts: Uint8Array[] = []
  let length = 0
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length
    if (length > apiLimits.frameBytesMax) {
      await reader.cancel()
      throw tooLarge()
    }
    parts.push(next.value)
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts)
}
