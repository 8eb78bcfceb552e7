/** Makes request-frames.json, as record.ts makes record.json: frames of *Requests between nodes*. */
import { writeFileSync } from 'node:fs'
import { decodeFrame, encodeFrame, type Frame } from '../../daemon/net/frame.ts'
import { netLimits } from '../../daemon/net/net-limits.ts'
import { concatBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import { plain } from './record.ts'
import { invalidCases, raw, Wire, type InvalidCase, type Spelled } from './wire.ts'

export interface FrameVectors {
  readonly about: string
  readonly valid: readonly { readonly name: string; readonly bytes: string; readonly frame: unknown }[]
  /** What is read otherwise than it was written. */
  readonly otherWays: readonly { readonly name: string; readonly bytes: Spelled; readonly frame: unknown }[]
  readonly invalid: readonly InvalidCase[]
}

const id = 7
const body = utf8('x')

const valid: Readonly<Record<string, Frame>> = {
  'a request': { kind: 'request', id, timeoutMs: 1000, method: 'shard/push', body },
  'a request without a body': { kind: 'request', id: 0, timeoutMs: 0, method: 'a/b', body: new Uint8Array() },
  'the greatest numbers, the longest method': {
    kind: 'request',
    id: 2 ** 32 - 1,
    timeoutMs: 2 ** 32 - 1,
    method: `identity-log/get-2${'z'.repeat(netLimits.methodBytesMax - 18)}`,
    body,
  },
  'a reply': { kind: 'reply', id, body },
  'a reply without a body': { kind: 'reply', id, body: new Uint8Array() },
  'an error': { kind: 'error', id, code: 'UNKNOWN_IDENTITY', message: 'bring the log' },
  'an error without a message': { kind: 'error', id, code: 'BUSY', message: '' },
  'a cancel': { kind: 'cancel', id },
}

const head = (kind: number): Uint8Array => Uint8Array.of(kind, 0, 0, 0, id)
const timeout = Uint8Array.of(0, 0, 3, 0xe8)
const named = (name: string, length = name.length): Uint8Array => concatBytes(Uint8Array.of(length), utf8(name))
const request = (name: string, length?: number): Wire => raw(concatBytes(head(1), timeout, named(name, length)))
const filled = (length: number, ...before: readonly Uint8Array[]): Wire =>
  new Wire({ head: toHex(concatBytes(...before)), item: '00', times: length }, 'TOO_LARGE')
const longMessage = (length: number): Wire =>
  new Wire({ head: toHex(concatBytes(head(3), named('BUSY'))), item: '61', times: length })

const otherWays: Readonly<Record<string, readonly [wire: Wire, frame: Frame]>> = {
  'a code of a later release': [
    raw(concatBytes(head(3), named('NEW'), utf8('hi'))),
    { kind: 'error', id, code: 'INTERNAL', message: 'hi' },
  ],
  'no code at all': [raw(concatBytes(head(3), named(''))), { kind: 'error', id, code: 'INTERNAL', message: '' }],
  'a message of 513 bytes': [longMessage(513), { kind: 'error', id, code: 'BUSY', message: 'a'.repeat(512) }],
}

const invalid: Readonly<Record<string, Wire>> = {
  'no bytes at all': raw(new Uint8Array()),
  'cut off in the id': raw(head(4).subarray(0, 4)),
  'kind 0': raw(head(0)),
  'kind 5': raw(head(5)),
  'a request cut off in its deadline': raw(concatBytes(head(1), timeout.subarray(1))),
  'a request without a method': raw(concatBytes(head(1), timeout)),
  'a method of no letters': request(''),
  'a method longer than the frame': request('a/b', 4),
  'a method of 65 bytes': request(`a/${'b'.repeat(63)}`),
  'a method of two letters': request('a/'),
  'a method without a slash': request('abc'),
  'a method with two slashes': request('a/b/c'),
  'a method in upper case': request('A/b'),
  'a method that begins with a digit': request('1/b'),
  'a name in a method that begins with a hyphen': request('a/-b'),
  'a control byte in a method': request('a\n/b'),
  'a letter beyond ASCII in a method': raw(concatBytes(head(1), timeout, Uint8Array.of(4), utf8('a/é'))),
  'an error without a code': raw(head(3)),
  'a code longer than the frame': raw(concatBytes(head(3), named('B', 10))),
  'a code of 65 bytes': raw(concatBytes(head(3), named('B'.repeat(65)))),
  'a space in a code': raw(concatBytes(head(3), named('A B'))),
  'a cancel with a body': raw(concatBytes(head(4), Uint8Array.of(0))),
  'a body of a byte too many': filled(netLimits.bodyBytesMax + 1, head(1), timeout, named('a/b')),
  'a frame of a byte too many': filled(limits.frameBytesMax - 4, head(2)),
}

export function frameVectors(): FrameVectors {
  return {
    about:
      'frames between nodes, without the length that precedes each; bytes in hex, or a head, an item that follows ' +
      'it so many times',
    valid: Object.entries(valid).map(([name, frame]) => ({
      name,
      bytes: toHex(encodeFrame(frame)),
      frame: plain(frame),
    })),
    otherWays: Object.entries(otherWays).map(([name, [{ spelled }, frame]]) => ({
      name,
      bytes: spelled,
      frame: plain(frame),
    })),
    invalid: invalidCases(invalid),
  }
}

export function rereadFrame(bytes: Uint8Array): { readonly frame: unknown; readonly bytes: string } {
  const frame = decodeFrame(bytes)
  return { frame: plain(frame), bytes: toHex(encodeFrame(frame)) }
}

if (import.meta.main) {
  const text = `${JSON.stringify(frameVectors(), undefined, 1)}\n`
  writeFileSync(new URL('request-frames.json', import.meta.url), text)
}
