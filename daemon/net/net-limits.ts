import { limits } from '../../protocol/limits.ts'

/** What one peer may cost us, and what we may cost one peer. */
export const netLimits = {
  /** Kind, id, deadline, a method's name; for errors a code and a message. */
  frameHeaderBytesMax: 1024,
  /** Largest body of a request or reply: a frame less its header. */
  bodyBytesMax: limits.frameBytesMax - 1024,
  methodBytesMax: 64,
  errorMessageBytesMax: 512,
  timeoutMs: 10_000,
  /** A day-long deadline is a leak; nothing between nodes takes five minutes. */
  timeoutMsMax: 5 * 60_000,
  /** Requests under way on one stream; a caller waits for a free place. Windows above 32 gained nothing. */
  requestsInFlightMax: 64,
  /** Request bodies under way on one stream: four frames keep a fast link full. */
  bytesInFlightMax: 4 * limits.frameBytesMax,
  /** Callers waiting for a place on one stream; beyond it BUSY, as memory is finite. */
  requestsWaitingMax: 4096,
  /** Handlers that one stream may keep running. Above the caller's own window, as a cancelled one may linger. */
  handlersMax: 128,
  /** Replies not taken by the peer; above it nothing more is read from that stream. */
  replyBytesWaitingMax: 4 * limits.frameBytesMax,
  /** Refusals in a row after which the stream is reset: answering BUSY a million times is work as well. */
  refusalsMax: 10_000,
  /** Streams of one family that one peer may hold open: one, and its successor after a reset. */
  streamsPerFamilyMax: 8,
  /** Raw streams of one protocol from one peer: a browser's tabs. */
  rawStreamsMax: 32,
  /** Peers whose budget is remembered; the longest unseen is forgotten first. */
  budgetsMax: 4096,
  /** Per peer. A home pushing an import sends hundreds of requests a second, never thousands. */
  requestsPerS: 4_000,
  requestsBurst: 8_000,
  bytesPerS: 64 * 2 ** 20,
  bytesBurst: 128 * 2 ** 20,
  /** How long peers' requests may run in a row before phones and everything else have their turn. */
  turnMs: 5,
  addressesPerPeerMax: limits.addressesPerNodeMax,
  deniedNodesMax: 65_536,
  /** Of a node's eight addresses those through relays: its own and that of its pages need places too. */
  relayedAddressesMax: 4,
  /** Places at a relay. Each is a connection that stays open, and of 300 of these some are the relay's own. */
  relayReservationsMax: 128,
  /** Connections that a relay joins at a time. */
  relayedMax: 128,
  /** Of these, opened by one peer: a home and its neighbourhood. */
  relayedPerPeerMax: 16,
  /**
   * Of one of them, in one direction, what one side has sent and the other not taken; above it no more is read until all is
   * taken. As much as a window, 2 MiB, may have come at once, and wait behind it.
   */
  relayedBytesWaitingMax: 256 * 1024,
} as const
