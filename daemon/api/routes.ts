/**
 * Every path that the node answers over HTTP, with the rule that guards it. A route without a rule does not compile.
 */
import type { IncomingMessage } from 'node:http'
import { decode } from '../../protocol/codec.ts'
import type { Rule } from '../../protocol/api/operation.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { isOperationName, readReply } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { isFromHere } from './auth.ts'
import type { Dispatch } from './dispatch.ts'
import { answerForm, bodyForm, decodeBody, replyAnswer } from './http-message.ts'
import type { HttpAnswer } from './http-message.ts'
import type { Call } from './operations.ts'
import { readPage } from './pages.ts'

export interface Visit {
  readonly request: IncomingMessage
  readonly path: string
  /** What the pattern's parentheses matched. */
  readonly matched: readonly string[]
  /** TOO_LARGE beyond `bytesMax`. */
  readonly readBody: (bytesMax: number) => Promise<Uint8Array>
  readonly call: Call
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly pattern: RegExp
  /** `operation`: the rule that the operation in the path declares. */
  readonly rule: Rule | 'operation'
  readonly answer: (visit: Visit) => Promise<HttpAnswer>
}

export interface RouteParts {
  readonly dispatch: Dispatch
  /** The folder of the built pages; undefined serves none. */
  readonly pages: string | undefined
}

/** Where WebSockets open; an upgrade, so not among the routes. Its rule is `operation`, for each frame. */
export const socketPath = '/api/v1/socket'

export function createRoutes({ dispatch, pages }: RouteParts): readonly Route[] {
  return [
    {
      method: 'POST',
      pattern: /^\/api\/v1\/([a-z-]+(?:\.[a-z-]+)+)$/,
      rule: 'operation',
      async answer({ request, matched, readBody, call }) {
        const form = bodyForm(request)
        const body = decodeBody(await readBody(apiLimits.bodyBytesMax), form)
        const operation = matched[0] ?? ''
        const { reply, events } = await dispatch.call(operation, body, form, call)
        if (events !== undefined || !isOperationName(operation))
          throw new OnehopError('UNSUPPORTED', `live queries need a WebSocket: ${socketPath}`)
        return replyAnswer(operation, reply.bytes, answerForm(request))
      },
    },
    {
      // The signed replica set of an identity: as it travels in CBOR, as hex in JSON.
      method: 'GET',
      pattern: /^\/\.well-known\/onehop\/([0-9a-f]{64})$/,
      rule: 'anyone',
      async answer({ request, matched, call }) {
        const { reply } = await dispatch.call('replica-set.get', { owner: matched[0] }, 'json', call)
        const form = answerForm(request)
        const { replicaSet } = readReply('replica-set.get', decode(reply.bytes), 'cbor')
        const whole = replyAnswer('replica-set.get', reply.bytes, form)
        const headers = { ...whole.headers, 'cache-control': 'public, max-age=30' }
        return form === 'cbor' ? { status: 200, headers, body: replicaSet } : { ...whole, headers }
      },
    },
    {
      method: 'GET',
      pattern: /^\/$/,
      rule: 'anyone',
      async answer({ request }) {
        const location = isFromHere(request) ? '/dashboard/' : '/phone/'
        return redirect(location)
      },
    },
    {
      method: 'GET',
      pattern: /^\/(phone|dashboard)$/,
      rule: 'anyone',
      answer: async ({ path }) => redirect(`${path}/`),
    },
    {
      // The pages hold nothing of anybody; what they show comes through the API and its rules.
      method: 'GET',
      pattern: /^\/(?:phone|dashboard)\/.*$/,
      rule: 'anyone',
      async answer({ request, path }) {
        if (pages === undefined) throw new OnehopError('NOT_FOUND', 'this node serves no pages')
        const page = await readPage(pages, path)
        const known = request.headers['if-none-match'] === page.etag
        return known
          ? { status: 304, headers: page.headers, body: new Uint8Array(0) }
          : { status: 200, headers: page.headers, body: page.bytes }
      },
    },
  ]
}

function redirect(location: string): HttpAnswer {
  return { status: 302, headers: { location, 'cache-control': 'no-store' }, body: new Uint8Array(0) }
}

/** The route for a request. NOT_FOUND, or BAD_REQUEST where the path is right and the method is not. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly matched: readonly string[] } {
  const wanted = method === 'HEAD' ? 'GET' : method
  let otherMethod: string | undefined
  for (const route of routes) {
    const match = route.pattern.exec(path)
    if (match === null) continue
    if (route.method === wanted) return { route, matched: match.slice(1) }
    otherMethod = route.method
  }
  if (otherMethod !== undefined) throw new OnehopError('BAD_REQUEST', `this path answers ${otherMethod}`)
  throw new OnehopError('NOT_FOUND', 'there is nothing at this path')
}
