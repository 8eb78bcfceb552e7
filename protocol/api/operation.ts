import { fields } from './fields.ts'
import type { Field, FieldMap, TypedMap } from './fields.ts'

/**
 * The least that a caller must show before the handler sees the request:
 * - anyone: nothing. What an answer holds may still depend on who asks (public sections for strangers).
 * - signed: nothing about the caller; the request carries signatures that the handler verifies.
 * - session: a device of an identity that this node hosts, proven by session.open; the handler compares owners.
 * - admin: the admin token, over loopback. Admits to whatever a session does.
 */
export type Rule = 'anyone' | 'signed' | 'session' | 'admin'

export interface Unary<Q, A> {
  readonly rule: Rule
  readonly request: Field<Q>
  readonly reply: Field<A>
}

export interface Subscription<Q, A, E> extends Unary<Q, A> {
  readonly event: Field<E>
}

/** One request, one reply. */
export function unary<const Q extends FieldMap, const A extends FieldMap>(
  rule: Rule,
  request: Q,
  reply: A,
): Unary<TypedMap<Q>, TypedMap<A>> {
  return { rule, request: fields(request, 'closed'), reply: fields(reply) }
}

/** One request, one reply, then events until either side ends it. */
export function subscription<const Q extends FieldMap, const A extends FieldMap, const E extends FieldMap>(
  rule: Rule,
  request: Q,
  reply: A,
  event: E,
): Subscription<TypedMap<Q>, TypedMap<A>, TypedMap<E>> {
  return { rule, request: fields(request, 'closed'), reply: fields(reply), event: fields(event) }
}
