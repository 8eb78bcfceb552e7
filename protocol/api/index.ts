export type { Field, Form, Typed } from './fields.ts'
export { toJson } from './fields.ts'
export type { Failure } from './failure.ts'
export { fromFailure, httpStatus, toFailure } from './failure.ts'
export type { EncodedPayload, Frame, FrameKind } from './frames.ts'
export { decodeFrame, emptyPayload, encodeFrame, encodedPayload } from './frames.ts'
export { apiLimits } from './limits.ts'
export type { LivePosition, PairingStatus } from './messages.ts'
export type { Rule } from './operation.ts'
export type { EventOf, OperationName, ReplyOf, RequestOf, SubscriptionName, UnaryName } from './operations.ts'
export {
  isOperationName,
  isSubscription,
  operations,
  readEvent,
  readReply,
  readRequest,
} from './operations.ts'
export type { SessionClaim } from './session.ts'
export { signSession, verifySession } from './session.ts'
