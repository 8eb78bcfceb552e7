import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { emptyBytes, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { AppTokens } from './app-tokens.ts'
import { bearerToken, identifyCaller, isFromHere } from './auth.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { authorise } from './dispatch.ts'
import type { Dispatch } from './dispatch.ts'
import type { LeaveChanges } from './leave.ts'
import { answerForm, discardBody, failureAnswer, readBody, sendAnswer } from './http-message.ts'
import { serverLimits } from './limits.ts'
import type { Call, Caller } from './operations.ts'
import { checkOrigin } from './origin.ts'
import type { OriginRules } from './origin.ts'
import { createRoutes, findRoute, socketPath } from './routes.ts'
import type { Visit } from './routes.ts'
import type { Sessions } from './sessions.ts'
import type { SignedRequests } from './signed-requests.ts'
import { createSockets } from './websocket.ts'

export interface HttpOptions {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly rules: OriginRules
  readonly dispatch: Dispatch
  readonly leave: LeaveChanges
  readonly sessions: Pick<Sessions, 'find' | 'begin'>
  readonly signedRequests: SignedRequests
  readonly appTokens: Pick<AppTokens, 'find' | 'admitsOrigin'>
  readonly adminToken: string
  readonly pages: string | undefined
  readonly clock: Clock
  readonly log: Log
  /** For tests, which cannot wait as long as a bad link may take. */
  readonly requestTimeoutMs?: number
}

export interface HttpServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Lets calls under way end, for some seconds, then cuts them. */
  close(): Promise<void>
}

/** The API, its WebSocket and the pages on one port. Listening when it resolves. PORT_IN_USE, BAD_CONFIG. */
export async function openHttpServer(options: HttpOptions): Promise<HttpServer> {
  const { dispatch, rules, clock, log, requestTimeoutMs = serverLimits.requestTimeoutMs } = options
  const routes = createRoutes(options)
  const sockets = createSockets(options)
  const underWay = new Set<Promise<void>>()
  let closing = false

  const identifyFrom = (request: IncomingMessage): ((token: string | undefined) => Caller) => {
    const fromHere = isFromHere(request)
    const findApp = (token: string): Caller | undefined =>
      options.appTokens.find(token, request.headers.origin)
    return (token) => identifyCaller(token, fromHere, options.sessions, options.adminToken, findApp)
  }

  /** Whoever signed the request, or brought a token. What was signed is read whole, and checked, before any route. */
  const askedBy = async (request: IncomingMessage): Promise<Asked> => {
    const signed = options.signedRequests.identify(request)
    if (signed === undefined) {
      const token = bearerToken(request.headers.authorization)
      return { caller: identifyFrom(request)(token), token, readBody: (max) => readBody(request, max) }
    }
    const body = await readBody(request, apiLimits.bodyBytesMax)
    signed.checkBody(body)
    const { owner, device } = signed
    return { caller: { kind: 'session', owner, device }, token: undefined, readBody: async () => body }
  }

  const corsFor = (request: IncomingMessage): Record<string, string> => {
    const { host, origin } = request.headers
    const { localAddress } = request.socket
    const admits = (site: string): boolean => options.appTokens.admitsOrigin(site)
    const allowed = checkOrigin({ host, origin, localAddress }, rules, admits)
    return allowed === undefined ? {} : { 'access-control-allow-origin': allowed, vary: 'origin' }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = new AbortController()
    const gone = (): void => call.abort(new OnehopError('ABORTED', 'the caller went away'))
    response.once('close', gone)
    let cors: Record<string, string> = {}
    try {
      if (closing) throw new OnehopError('CLOSED', 'the node is closing')
      if (underWay.size > serverLimits.requestsMax) throw new OnehopError('BUSY', 'too many requests at once')
      cors = corsFor(request)
      if (request.method === 'OPTIONS' && cors['access-control-allow-origin'] !== undefined) {
        sendAnswer(response, { status: 204, headers: preflight, body: emptyBytes }, cors, false)
        return
      }
      const path = pathOf(request)
      const { route, matched } = findRoute(routes, request.method ?? '', path)
      const { caller, token, readBody: read } = await askedBy(request)
      if (route.rule !== 'operation') authorise(route.rule, caller)
      const visit = {
        request,
        path,
        matched,
        readBody: read,
        call: { caller, token, signal: call.signal, bind: () => {} },
      }
      sendAnswer(response, await route.answer(visit), cors, request.method !== 'HEAD')
    } catch (cause) {
      const error = asOnehopError(cause)
      dispatch.refused(error)
      if (!(cause instanceof OnehopError)) log.error('http-fault', { path: request.url, error })
      await discardBody(request, clock)
      // An unread body would be taken for the next request.
      const rest = request.complete ? {} : { connection: 'close' }
      sendAnswer(response, failureAnswer(error, answerForm(request)), { ...cors, ...rest }, true)
    }
  }

  const server = createServer({
    headersTimeout: Math.min(serverLimits.headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: serverLimits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(serverLimits.timeoutCheckMs, requestTimeoutMs),
    maxHeaderSize: serverLimits.headerBytesMax,
    requireHostHeader: false,
  })
  server.maxHeadersCount = serverLimits.headersMax
  server.maxConnections = serverLimits.connectionsMax
  server.maxRequestsPerSocket = serverLimits.requestsPerConnectionMax
  server.on('request', (request, response) => {
    const task = answer(request, response)
      .catch((error: unknown) => {
        log.error('http-fault', { error })
        response.destroy()
      })
      .finally(() => underWay.delete(task))
    underWay.add(task)
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    try {
      if (closing) throw new OnehopError('CLOSED', 'the node is closing')
      corsFor(request)
      if (pathOf(request) !== socketPath)
        throw new OnehopError('NOT_FOUND', 'there is no WebSocket at this path')
      const signed = options.signedRequests.identify(request)
      signed?.checkBody(emptyBytes)
      // A signature is good once and a WebSocket asks many times: it stands for the session that it could have opened.
      const token =
        signed === undefined
          ? bearerToken(request.headers.authorization)
          : toHex(options.sessions.begin(signed.owner, signed.device))
      const identify = identifyFrom(request)
      identify(token)
      sockets.upgrade(request, socket, head, token, identify)
    } catch (cause) {
      const error = asOnehopError(cause)
      dispatch.refused(error)
      refuseUpgrade(request, socket, error)
    }
  })

  const address = await listen(server, options.host, options.port)
  const close = async (): Promise<void> => {
    closing = true
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    const socketsClosed = sockets.close()
    server.closeIdleConnections()
    const cut = clock.after(serverLimits.closeGraceMs, () => server.closeAllConnections())
    await Promise.all([closed, socketsClosed, ...underWay])
    cut()
  }
  let closed: Promise<void> | undefined
  const closeOnce = (): Promise<void> => (closed ??= close())
  return {
    host: options.host,
    port: address.port,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}

interface Asked extends Pick<Visit, 'readBody'>, Pick<Call, 'caller' | 'token'> {}

const preflight = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, content-type, content-digest, signature-input, signature',
  'access-control-max-age': '600',
} as const

/** Without the query, which nothing here reads. BAD_REQUEST for what is no path. */
function pathOf(request: IncomingMessage): string {
  const url = request.url ?? ''
  if (!url.startsWith('/') || url.length > 2048) throw new OnehopError('BAD_REQUEST', 'this is no path')
  return url.split('?', 1)[0] ?? ''
}

function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: OnehopError): void {
  const { status, headers, body } = failureAnswer(error, answerForm(request))
  const lines = Object.entries({ ...headers, 'content-length': String(body.length), connection: 'close' })
  const head = [
    `HTTP/1.1 ${status} ${error.code}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ]
  socket.end(Buffer.concat([Buffer.from(head.join('\r\n')), body]))
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException): void => {
      const where = `${host}:${port}`
      reject(
        cause.code === 'EADDRINUSE'
          ? new OnehopError('PORT_IN_USE', `something listens on ${where} (listen.http) already`, { cause })
          : new OnehopError('BAD_CONFIG', `cannot listen on ${where}: ${cause.message}`, { cause }),
      )
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve(server.address() as AddressInfo)
    })
  })
}
