/** Bodies and answers of HTTP: CBOR, or JSON for people and scripts. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { toJson } from '../../protocol/api/fields.ts'
import type { Form } from '../../protocol/api/fields.ts'
import { httpStatus, toFailure } from '../../protocol/api/failure.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { readReply } from '../../protocol/api/operations.ts'
import type { OperationName } from '../../protocol/api/operations.ts'
import { concatBytes, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import type { Clock } from '../../protocol/ports.ts'
import { serverLimits } from './limits.ts'
import { OnehopError } from '../../protocol/errors.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

const mediaTypes = { cbor: 'application/cbor', json: 'application/json' } as const

function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/**
 * The form of a request's body. Anything else is refused, form types above all: a browser sends those to any site
 * without asking it first.
 */
export function bodyForm(request: IncomingMessage): Form {
  const type = mediaType(request.headers['content-type'])
  if (type === mediaTypes.cbor) return 'cbor'
  if (type === mediaTypes.json) return 'json'
  throw new OnehopError('BAD_REQUEST', 'the Content-Type must be application/cbor or application/json')
}

/** What the caller wants to read: as Accept says, else as it wrote, else JSON. */
export function answerForm(request: IncomingMessage): Form {
  const accept = (request.headers.accept ?? '').toLowerCase()
  if (accept.includes(mediaTypes.cbor)) return 'cbor'
  if (accept.includes(mediaTypes.json)) return 'json'
  return mediaType(request.headers['content-type']) === mediaTypes.cbor ? 'cbor' : 'json'
}

/**
 * Reads on for a little while and forgets it. Whoever is still sending when the connection closes sees a broken
 * pipe and never the answer that says why.
 */
export async function discardBody(request: IncomingMessage, clock: Pick<Clock, 'after'>): Promise<void> {
  if (request.complete || request.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  let left: number = serverLimits.discardBytesMax
  const onData = (part: Buffer): void => {
    left -= part.length
    if (left < 0) resolve()
  }
  const cancel = clock.after(serverLimits.discardMs, resolve)
  request.on('data', onData).once('end', resolve).once('close', resolve).once('error', resolve)
  await promise
  cancel()
  request.off('data', onData).off('end', resolve).off('close', resolve).off('error', resolve)
}

/** At most `bytesMax`, in the server's request time. TOO_LARGE before anything is read, where the length is told. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): OnehopError => new OnehopError('TOO_LARGE', `the body is over ${bytesMax} bytes`)
  const told = Number(request.headers['content-length'] ?? 0)
  if (told > bytesMax) throw tooLarge()
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length
      if (length > bytesMax) throw tooLarge()
      parts.push(part)
    }
  } catch (cause) {
    if (cause instanceof OnehopError) throw cause
    throw new OnehopError('ABORTED', 'the body broke off', { cause })
  }
  return concatBytes(...parts)
}

export function decodeBody(bytes: Uint8Array, form: Form): unknown {
  if (form === 'cbor') return decode(bytes, { bytesMax: apiLimits.bodyBytesMax })
  try {
    return JSON.parse(fromUtf8(bytes))
  } catch (cause) {
    throw new OnehopError('BAD_MESSAGE', `the body is not JSON: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
      help: 'Send one JSON object, with names and texts in double quotes; {} where there is nothing to say.',
    })
  }
}

/** A reply that is encoded already. For JSON it is read back, as only the shape tells a u64 from a small number. */
export function replyAnswer(operation: OperationName, encoded: Uint8Array, form: Form): HttpAnswer {
  if (form === 'cbor') return { status: 200, headers: apiHeaders(form), body: encoded }
  const reply = readReply(operation, decode(encoded, { bytesMax: apiLimits.bodyBytesMax }), 'cbor')
  return { status: 200, headers: apiHeaders(form), body: jsonBytes(reply) }
}

export function failureAnswer(error: OnehopError, form: Form): HttpAnswer {
  const failure = toFailure(error)
  const headers = {
    ...apiHeaders(form),
    ...(error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer' } : {}),
  }
  return {
    status: httpStatus(error.code),
    headers,
    body: form === 'cbor' ? encode(failure) : jsonBytes(failure),
  }
}

function apiHeaders(form: Form): Record<string, string> {
  return { 'content-type': mediaTypes[form], 'cache-control': 'no-store' }
}

function jsonBytes(value: unknown): Uint8Array {
  return utf8(`${JSON.stringify(toJson(value))}\n`)
}

const everyAnswer = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' } as const

export function sendAnswer(
  response: ServerResponse,
  answer: HttpAnswer,
  extra: Readonly<Record<string, string>>,
  withBody: boolean,
): void {
  const { body } = answer
  response.writeHead(answer.status, {
    ...everyAnswer,
    ...answer.headers,
    ...extra,
    'content-length': String(body.length),
  })
  response.end(withBody ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : undefined)
}
