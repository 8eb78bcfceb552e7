/** Numbers of the client alone; what nodes accept is in protocol/limits.ts and protocol/api/limits.ts. */
export const clientLimits = {
  /** A call over a slow phone link; live queries and long polls bring their own. */
  callTimeoutMs: 20_000,
  /** A node that says nothing for so long is asked whether it lives; together with the probe below one second. */
  silenceMs: 300,
  probeMs: 500,
  /** For the first answer of any member. */
  raceMs: 5_000,
  /** Once one has answered, others have so long to become the warm second. */
  raceTailMs: 500,
  /** Between tries of the outbox and of live queries. */
  retryFirstMs: 250,
  retryMaxMs: 15_000,
  /** Records in one write; their bytes bound it too. */
  outboxBatchRecords: 128,
  outboxBatchBytes: 768 * 1024,
  /** Records that wait on a device that is offline. */
  outboxRecordsMax: 10_000,
  /** How long one question for copies waits at the node. */
  durableWaitMs: 2_000,
  /** Identity logs kept verified in memory: a page of authors, several times over. */
  identitiesMax: 2_000,
  /** Fetched at once for one page. */
  identityFetchesMax: 8,
  /** A person whose keys were asked for in vain, or whose nodes are away, is not asked about again for so long. */
  readersMissMs: 3_000,
  readersFetchMs: 5_000,
  /** Whose keys are kept in memory: as for identity logs. Epochs back from the newest: eleven years of daily ones. */
  readersOwnersMax: 2_000,
  readersEpochsMax: 4_096,
  /** Before sealing for followers another device's changes are looked for, this often and no longer than that. */
  readersRefreshMs: 30_000,
  readersRefreshTimeoutMs: 3_000,
  /** Before sealing for a group: the same. */
  groupsRefreshMs: 30_000,
  /** One group's holders, with the search for them. */
  groupWrittenMs: 30_000,
  groupsRefreshTimeoutMs: 3_000,
  /** Then, less often, for each member whose log did not come with the group's: of somebody whom nobody finds that takes seconds. */
  groupsMeetMs: 10 * 60_000,
  /** Followers looked through for requests, and requests that are listed: who has more answers some of them first. */
  followerPagesMax: 64,
  followRequestsMax: 1_000,
  /** Whether neighbours can be found for empty seats is looked at this often, of so many groups; an app that closes waits so long for it. */
  seatsLookMs: 60_000,
  seatsGroupsMax: 32,
  seatsCloseMs: 2_000,
  /** Chunks of a blob under way at once. */
  blobParallel: 4,
  /** Chunk lists of blobs kept verified in memory, and the hashes in all of them: some 8 MB. */
  manifestsMax: 256,
  manifestChunksMax: 65_536,
  /** Bytes that `blobs.bytes` gathers in memory. */
  blobBytesMax: 256 * 1024 * 1024,
  /** Frames of one live query that wait for a slow reader; the node waits beyond. */
  liveEventsWaitingMax: 256,
  /** Records of this device that a node may know and a restored install does not: 64 pages of 1,024. */
  catchUpMax: 65_536,
  catchUpPagesMax: 64,
  catchUpMs: 3_000,
} as const
