import { encodedPayload } from '../../protocol/api/frames.ts'
import type { EncodedPayload } from '../../protocol/api/frames.ts'
import type { Form } from '../../protocol/api/fields.ts'
import type { Rule } from '../../protocol/api/operation.ts'
import {
  isOperationName,
  isSubscription,
  operations as table,
  readRequest,
} from '../../protocol/api/operations.ts'
import type { OperationName, RequestOf } from '../../protocol/api/operations.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Log } from '../../protocol/ports.ts'
import { narrow } from './app-scope.ts'
import type { ScopePorts } from './app-scope.ts'
import type { Call, Caller, Operations } from './operations.ts'

export interface Dispatched {
  readonly reply: EncodedPayload
  /** Of a subscription. */
  readonly events?: AsyncIterable<EncodedPayload>
}

export interface Dispatch {
  /** `body` was bounded and decoded by the transport. Rejects with an OnehopError. */
  call(operation: string, body: unknown, form: Form, call: Call): Promise<Dispatched>
  /** Calls by how they ended: `api.ok`, `api.UNAUTHENTICATED` and so on. */
  counters(): Readonly<Record<string, number>>
  /** Counts a refusal by a transport. One that a call ended with was counted already. */
  refused(error: OnehopError): void
}

/** An operation that is not among `operations` answers UNSUPPORTED. */
export function createDispatch(operations: Partial<Operations>, log: Log, scope: ScopePorts): Dispatch {
  const counts = new Map<string, number>()
  const counted = new WeakSet<OnehopError>()
  const count = (outcome: 'ok' | ErrorCode): void => {
    counts.set(`api.${outcome}`, (counts.get(`api.${outcome}`) ?? 0) + 1)
  }
  const refused = (error: OnehopError): void => {
    if (counted.has(error)) return
    counted.add(error)
    count(error.code)
  }
  return {
    refused,
    counters: () => Object.fromEntries(counts),
    async call(operation, body, form, call) {
      try {
        if (!isOperationName(operation)) throw new OnehopError('NOT_FOUND', 'no such operation')
        authorise(table[operation].rule, call.caller)
        const dispatched = await run({ operations, scope }, operation, body, form, call)
        count('ok')
        return dispatched
      } catch (cause) {
        const error = asOnehopError(cause)
        refused(error)
        if (error.code === 'INTERNAL') log.error('api-fault', { operation, error })
        throw error
      }
    },
  }
}

/** The rule that the operation declares, and nothing else, lets a caller through to its handler. */
export function authorise(rule: Rule, caller: Caller): void {
  switch (rule) {
    case 'anyone':
    case 'signed':
      return
    case 'session':
      if (caller.kind === 'anyone') throw new OnehopError('UNAUTHENTICATED', 'this needs a session')
      return
    case 'admin':
      if (caller.kind === 'anyone') throw new OnehopError('UNAUTHENTICATED', 'this needs the admin token')
      if (caller.kind !== 'admin') throw new OnehopError('FORBIDDEN', 'this needs the admin token')
      return
  }
}

async function run(
  { operations, scope }: { readonly operations: Partial<Operations>; readonly scope: ScopePorts },
  operation: OperationName,
  body: unknown,
  form: Form,
  call: Call,
): Promise<Dispatched> {
  if (isSubscription(operation)) {
    const handler = operations[operation]
    if (handler === undefined) throw unsupported(operation)
    const request = readRequest(operation, body, form)
    const answer = await handler(request, await narrowed(operation, request, call, scope))
    return { reply: encodedPayload(answer.reply), events: encodeEvents(answer.events) }
  }
  // The table ties request to handler; the union over all names does not keep that tie.
  const handler = operations[operation] as
    | ((request: unknown, call: Call) => Promise<object | Uint8Array>)
    | undefined
  if (handler === undefined) throw unsupported(operation)
  const request = readRequest(operation, body, form)
  const answer = await handler(request, await narrowed(operation, request, call, scope))
  return { reply: answer instanceof Uint8Array ? { bytes: answer } : encodedPayload(answer) }
}

async function narrowed<N extends OperationName>(
  operation: N,
  request: RequestOf<N>,
  call: Call,
  scope: ScopePorts,
): Promise<Call> {
  const { caller } = call
  return caller.kind === 'app' ? { ...call, caller: await narrow(operation, request, caller, scope) } : call
}

async function* encodeEvents(events: AsyncIterable<unknown>): AsyncGenerator<EncodedPayload> {
  for await (const event of events) yield encodedPayload(event)
}

function unsupported(operation: string): OnehopError {
  return new OnehopError('UNSUPPORTED', `this node does not do ${operation}`)
}
