/**
 * Calls over a stream or a WebSocket: deterministic CBOR arrays [id, kind, operation, payload]. The caller chooses
 * ids, each once in a connection; the operation is named in the request and empty elsewhere.
 *
 *   caller:  request ------------------------------------ cancel (asks for the end)
 *   node:            reply | error      event*            end | error
 *
 * A unary call ends with its reply. A subscription's reply is followed by events until `end` or `error`.
 */
import { concatBytes } from '../bytes.ts'
import { decode, encode } from '../codec.ts'
import { utf8Length } from '../codec-measure.ts'
import { OnehopError } from '../errors.ts'
import { apiLimits } from './limits.ts'

const kinds = ['request', 'reply', 'error', 'event', 'end', 'cancel'] as const
export type FrameKind = (typeof kinds)[number]

export interface Frame {
  readonly id: number
  readonly kind: FrameKind
  readonly operation: string
  readonly payload: unknown
}

const arrayOfFour = Uint8Array.of(0x84)
const operationBytesMax = 64

/** Undecoded payload bytes are spliced in as they are, so that prepared answers are never encoded twice. */
export function encodeFrame(
  id: number,
  kind: FrameKind,
  operation: string,
  payload: EncodedPayload,
): Uint8Array {
  return concatBytes(arrayOfFour, encode(id), encode(kinds.indexOf(kind)), encode(operation), payload.bytes)
}

/** Deterministic CBOR of one value, as `encode` makes it. */
export interface EncodedPayload {
  readonly bytes: Uint8Array
}

export function encodedPayload(value: unknown): EncodedPayload {
  return { bytes: encode(value, { bytesMax: apiLimits.bodyBytesMax }) }
}

export const emptyPayload: EncodedPayload = encodedPayload(null)

/** Throws BAD_MESSAGE or TOO_LARGE; a connection that sends such a frame is closed. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const value = decode(bytes, { bytesMax: apiLimits.frameBytesMax })
  if (!Array.isArray(value) || value.length !== 4)
    throw new OnehopError('BAD_MESSAGE', 'not a frame of four items')
  const [id, kind, operation, payload] = value as readonly unknown[]
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
    throw new OnehopError('BAD_MESSAGE', 'bad frame id')
  const named = typeof kind === 'number' ? kinds[kind] : undefined
  if (named === undefined) throw new OnehopError('BAD_MESSAGE', 'unknown frame kind')
  if (typeof operation !== 'string' || utf8Length(operation) > operationBytesMax) {
    throw new OnehopError('BAD_MESSAGE', 'bad operation name in a frame')
  }
  if (named !== 'request' && operation !== '')
    throw new OnehopError('BAD_MESSAGE', 'only a request names an operation')
  return { id, kind: named, operation, payload }
}
