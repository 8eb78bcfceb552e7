/** Every number that bounds what a peer may send. Each has the reason beside it. */
export const limits = {
  /** A 32 KB picture preview and text fit; eight make one frame. */
  recordBytesMax: 128 * 1024,
  /** Fifteen names, keys and numbers plus sixteen section lines. */
  recordHeaderBytesMax: 4 * 1024,
  recordSectionsMax: 16,
  recordKeyBytesMax: 128,
  /** Geography, topics, tags and a few of an app's own. */
  hierarchiesMax: 8,
  /** Sealed sections are padded to no less: a short note should look like any other. */
  sealedBytesMin: 256,
  /** A phone, a laptop, a CLI and fifty dead ones, all of them ever admitted. */
  seenDevicesMax: 1024,
  /** Gaps close when records arrive; more than this is somebody making gaps. */
  seenIntervalsMax: 256,
  /** Of all devices together, so that the list stays one message. */
  seenIntervalsTotalMax: 16_384,
  /** Names of apps, collections, fields, views, hierarchies. */
  nameBytesMax: 64,
  /** Deeper than any message of ours (seven); far from any stack. */
  cborDepthMax: 16,
  /** Items in one message: a frame full of ids. */
  cborItemsMax: 65_536,
  /** One frame between nodes or to a client. js-libp2p resets a handler that buffers over 4 MiB. */
  frameBytesMax: 1024 * 1024,
  /** A group's: each epoch of a club of twenty takes 3 KB, and a year brings some. */
  identityLogBytesMax: 320 * 1024,
  /** Eight of them, which may name one recovery key, fit a frame. */
  personLogBytesMax: 64 * 1024,
  /** Whoever leaves a sealed group of 64 in which they wrote from 32 devices: its next secret for 63, and 32 lists. */
  identityEntryBytesMax: 16 * 1024,
  /** Devices that are not revoked. */
  identityDevicesMax: 32,
  /** The smallest entry takes 250 bytes of the log. */
  identityEntriesMax: 256,
  /** Of a person, at the node that takes them first: a household changes a few devices, a thief would fill the log. */
  identityEntriesPerDayMax: 24,
  /**
   * `epoch` entries of a group, at the node that takes them first. Who shuts a handful of devices out one after the other gets
   * through; of a member who turns devices over for ever a club of twenty hears for more than a week before its log is full.
   */
  groupEpochsPerDayMax: 8,
  identityCapabilitiesMax: 64,
  /** Shards of others in which a revoked device wrote, or devices of a removed member. */
  identityRevokedListsMax: 64,
  /** Branches that one entry may join; the log's bytes bound the rest. */
  identityPreviousMax: 8,
  /** Secrets that one box seals: of the epoch before, and of others that lost. */
  identityLinksMax: 8,
  /** In one entry; larger groups get their wraps as records. */
  identityWrapsMax: 64,
  /** Logs of people that travel with a group's: its members and as many who were. */
  identityPeopleMax: 128,
  /** Brought to one node by one person who lives there: clubs, teams and a lab; each takes a quota of its own. */
  groupsPerPersonMax: 32,
  /** Recovery keys of one log that are looked up: words are replaced a few times in a life. */
  recoveryKeysMax: 8,
  /** Identities that may claim one recovery key: who made the words has one, the rest are made up by others. */
  recoveryFoundMax: 8,
  /** Approved by one person in one app: each costs a wrap whenever somebody is put out. */
  readersMax: 10_000,
  /** By one byte of their ids: 40 of ten thousand, so ten times as many are no accident. A field of 64 KB holds them. */
  readersOnPageMax: 400,
  schemaBytesMax: 64 * 1024,
  /** With the two of readers, where something is kept for followers. */
  schemaCollectionsMax: 64,
  schemaFieldsMax: 64,
  schemaViewsMax: 32,
  schemaRollupsMax: 32,
  /** Items on one page or in one list: a screen shows ten. */
  listItemsMax: 200,
  /** One answer is one frame, with room for what goes around it. Longer feeds go on with the cursor that it gives. */
  answerBytesMax: 1000 * 1024,
  /** Entries of one list or map in a record. */
  listEntriesMax: 256,
  /** Five minutes: phones drift by seconds, a wrong time zone by an hour. */
  clockAheadMsMax: 5 * 60_000,
  scopeDepthMax: 8,
  scopeBytesMax: 256,
  blobChunkBytes: 256 * 1024,
  previewBytesMax: 32 * 1024,
  replicaSetMembersMax: 16,
  guestsMax: 4,
  /** Sixteen members and as many on standby, with eight addresses each. */
  replicaSetBytesMax: 64 * 1024,
  /** Steps within an epoch; then the owner has to sign again. */
  replicaSetStepsMax: 16,
  /** Shards in one message about placement: with their logs a quarter of a frame. */
  placementShardsMax: 128,
  addressesPerNodeMax: 8,
  /** Authors named in one follow, stop or pull: their ids and cursors fill a tenth of a frame. */
  streamAuthorsMax: 1024,
  /** Followers told in one message, by the records that say so. */
  followersMax: 256,
  /** Records in one push. */
  streamEntriesMax: 1024,
} as const
