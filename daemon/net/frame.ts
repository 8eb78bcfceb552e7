/**
 * Frames of a request stream. On the wire each is preceded by its length as an unsigned varint (at most
 * limits.frameBytesMax, fewest bytes). Integers are big-endian.
 *
 *   frame   = kind:u8 id:u32 rest
 *   request = 1 id timeoutMs:u32 methodLength:u8 method body     opener -> other side
 *   reply   = 2 id body                                          other side -> opener
 *   error   = 3 id codeLength:u8 code message                    other side -> opener
 *   cancel  = 4 id                                               opener -> other side
 *
 * A fixed header and not CBOR: the body is CBOR already, and encoding it twice would copy every blob chunk.
 */
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { isErrorCode, OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Method } from '../../protocol/methods.ts'
import { netLimits } from './net-limits.ts'

export type RequestFrame = {
  readonly kind: 'request'
  readonly id: number
  readonly timeoutMs: number
  readonly method: Method
  readonly body: Uint8Array
}
export type ReplyFrame = { readonly kind: 'reply'; readonly id: number; readonly body: Uint8Array }
export type ErrorFrame = {
  readonly kind: 'error'
  readonly id: number
  readonly code: ErrorCode
  readonly message: string
}
export type CancelFrame = { readonly kind: 'cancel'; readonly id: number }
export type Frame = RequestFrame | ReplyFrame | ErrorFrame | CancelFrame

const kinds = { request: 1, reply: 2, error: 3, cancel: 4 } as const
const headBytes = 5

/** Throws TOO_LARGE when the body does not fit, BAD_REQUEST when the method's name is no name. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'request': {
      checkMethod(frame.method)
      const method = utf8(frame.method)
      const bytes = start(frame, 5 + method.length + checkBody(frame.body))
      const view = new DataView(bytes.buffer)
      view.setUint32(headBytes, frame.timeoutMs)
      bytes[headBytes + 4] = method.length
      bytes.set(method, headBytes + 5)
      bytes.set(frame.body, headBytes + 5 + method.length)
      return bytes
    }
    case 'reply': {
      const bytes = start(frame, checkBody(frame.body))
      bytes.set(frame.body, headBytes)
      return bytes
    }
    case 'error': {
      const code = utf8(frame.code)
      const message = utf8(frame.message).subarray(0, netLimits.errorMessageBytesMax)
      const bytes = start(frame, 1 + code.length + message.length)
      bytes[headBytes] = code.length
      bytes.set(code, headBytes + 1)
      bytes.set(message, headBytes + 1 + code.length)
      return bytes
    }
    case 'cancel':
      return start(frame, 0)
  }
}

/** Throws BAD_MESSAGE or TOO_LARGE. The body is a view of `bytes`, not a copy. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > limits.frameBytesMax) throw new OnehopError('TOO_LARGE', 'frame too long')
  if (bytes.length < headBytes) throw new OnehopError('BAD_MESSAGE', 'frame shorter than its header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const id = view.getUint32(1)
  const rest = bytes.subarray(headBytes)
  switch (bytes[0]) {
    case kinds.request: {
      const method = named(rest, 4, 'method')
      if (!methodPattern.test(method)) throw new OnehopError('BAD_MESSAGE', 'frame names no method')
      const body = rest.subarray(5 + method.length)
      if (body.length > netLimits.bodyBytesMax) throw new OnehopError('TOO_LARGE', 'body too long')
      return { kind: 'request', id, timeoutMs: view.getUint32(headBytes), method: method as Method, body }
    }
    case kinds.reply:
      return { kind: 'reply', id, body: rest }
    case kinds.error: {
      const code = named(rest, 0, 'code')
      const message = rest.subarray(1 + code.length, 1 + code.length + netLimits.errorMessageBytesMax)
      // A later release may know codes that this one does not; the call has failed all the same.
      return { kind: 'error', id, code: isErrorCode(code) ? code : 'INTERNAL', message: fromUtf8(message) }
    }
    case kinds.cancel:
      if (rest.length > 0) throw new OnehopError('BAD_MESSAGE', 'cancel frame with a body')
      return { kind: 'cancel', id }
    default:
      throw new OnehopError('BAD_MESSAGE', `frame of unknown kind ${bytes[0]}`)
  }
}

/** The part of a method before the slash: it names the stream that carries it. */
export function familyOf(method: string): string {
  return method.slice(0, method.indexOf('/'))
}

/** The libp2p protocol of a family's stream. */
export function protocolOf(family: string): string {
  return `/onehop/${family}/1`
}

const methodPattern = /^(?=.{3,64}$)[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/

/** Throws BAD_REQUEST. */
export function checkMethod(method: string): void {
  if (methodPattern.test(method)) return
  throw new OnehopError(
    'BAD_REQUEST',
    `${method} is no method: family/name in lower case, 64 characters at most`,
  )
}

function start(frame: Frame, restLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headBytes + restLength)
  bytes[0] = kinds[frame.kind]
  new DataView(bytes.buffer).setUint32(1, frame.id)
  return bytes
}

function checkBody(body: Uint8Array): number {
  if (body.length > netLimits.bodyBytesMax) {
    throw new OnehopError(
      'TOO_LARGE',
      `${body.length} bytes in one message; ${netLimits.bodyBytesMax} are allowed`,
    )
  }
  return body.length
}

/** A length byte at `offset`, then as many bytes of ASCII. */
function named(rest: Uint8Array, offset: number, what: string): string {
  const length = rest[offset]
  if (length === undefined || length > netLimits.methodBytesMax || rest.length < offset + 1 + length) {
    throw new OnehopError('BAD_MESSAGE', `frame cut off in its ${what}`)
  }
  const bytes = rest.subarray(offset + 1, offset + 1 + length)
  if (bytes.some((byte) => byte < 0x21 || byte > 0x7e)) {
    throw new OnehopError('BAD_MESSAGE', `frame with odd bytes in its ${what}`)
  }
  return fromUtf8(bytes)
}
