/** What bounds the search part of one node. */
export const searchNodeLimits = {
  /** Adverts kept: every aggregator on the way up from here and many beside. */
  advertsMax: 1_024,
  /** Sources that may register: a town has hundreds of boxes. */
  childrenMax: 4_096,
  /** Of one source, so that one hostile leaf cannot fill the disk. */
  childDocumentsMax: 4_000_000,
  childBytesMax: 8 * 2 ** 30,
  /** Entries and bytes of one message up: leaves room for identity logs within a frame. */
  appendEntriesMax: 512,
  appendBytesMax: 640 * 1024,
  appendLogBytesMax: 320 * 1024,
  /** Look-ups in the DHT in one round of looking for nearer aggregators. */
  findsPerRoundMax: 4,
  /** One look-up for a nearer aggregator than the one at hand. */
  nearerEveryMs: 30_000,
  /** A look-up that found nothing is not repeated for so long, and each time for four times as long. */
  absentMs: 20_000,
  absentMsMax: 3_600_000,
  /** Scopes whose absence is remembered. */
  scopesMax: 16_384,
  findTimeoutMs: 1_500,
  advertsTimeoutMs: 2_000,
  advertValidityMs: 600_000,
  appendTimeoutMs: 30_000,
  queryTimeoutMs: 5_000,
  askTimeoutMs: 2_500,
  retryMs: 200,
  retryMsMax: 2_000,
  /** Records of own shards looked at when nobody aggregates anything. */
  ownDocumentsMax: 20_000,
  ownIndexMs: 2_000,
  /** Owners of hits whose identity log can be had from whoever answered. */
  witnessesMax: 8_192,
} as const
