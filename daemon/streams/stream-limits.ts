import { limits } from '../../protocol/limits.ts'

/** What following may cost either side. */
export const streamLimits = {
  /** Authors whom one serving node may follow here: a home of two thousand people, ten times over. */
  registrationsPerNodeMax: 65_536,
  registrationsMax: 1_000_000,
  /** Bodies that leave room for the frame around them. */
  messageBytesMax: limits.frameBytesMax - 32 * 1024,
  /** Entries of an arrival log read at once for one author. */
  logEntriesMax: 256,
  /** What a serving node keeps of a stream when it begins: a page. */
  listLatest: 50,
  /** Arrivals looked through for deletions, for a reader who comes from another source. */
  listDeletesMax: 1_024,
  /** Authors in one list request: fifty short posts of each make a frame or two. */
  listAuthorsMax: 256,
  /** Authors looked up at once, and such look-ups under way. */
  locateAuthorsMax: 128,
  locateLanes: 4,
  /** Serving nodes that are asked who follows an author, and for how long an answer is waited for: a person looks on. */
  followersNodesMax: 64,
  followersTimeoutMs: 2_500,
  /** Of a holder that was asked by another, which waits for its answer. */
  followersServedTimeoutMs: 1_500,
  /** Whatever another says; nobody needs to know more exactly. */
  followersSilentMax: 65_535,
  /** A list of followers leaves room in any frame. */
  followersBytesMax: 512 * 1024,
  retryMs: 1_000,
  retryMsMax: 60_000,
  requestTimeoutMs: 30_000,
  /** People taken up between two turns of others. */
  serveSlice: 32,
  /** A session keeps its person served for so long after it was opened. */
  sessionServeMs: 3_600_000,
  /** Authors of this house whose new records are put into feeds in one batch. */
  feedAuthorsMax: 256,
} as const

/** Doubling from the second failure on, bounded. */
export function retryAfterMs(failures: number): number {
  return Math.min(
    streamLimits.retryMsMax,
    streamLimits.retryMs * 2 ** Math.min(16, Math.max(0, failures - 1)),
  )
}
