/** Every number that bounds what a peer may send. Each has the reason beside it. */
export const limits = {
  /** A 32 KB picture preview and text fit; eight make one frame. */
  recordBytesMax: 128 * 1024,
  /** Fifteen names, keys and numbers plus sixteen section lines. */
  recordHeaderBytesMax: 4 * 1024,
  recordSectionsMax: 16,
  recordKeyBytesMax: 128,
  /** Names of apps, collections, fields, views, hierarchies. */
  nameBytesMax: 64,
  /** Deeper than any message of ours (seven); far from any stack. */
  cborDepthMax: 16,
  /** Items in one message: a frame full of ids. */
  cborItemsMax: 65_536,
  /** One frame between nodes or to a client. js-libp2p resets a handler that buffers over 4 MiB. */
  frameBytesMax: 1024 * 1024,
  identityLogBytesMax: 64 * 1024,
  identityEntryBytesMax: 8 * 1024,
  identityDevicesMax: 32,
  schemaBytesMax: 64 * 1024,
  schemaCollectionsMax: 64,
  schemaFieldsMax: 64,
  /** Five minutes: phones drift by seconds, a wrong time zone by an hour. */
  clockAheadMsMax: 5 * 60_000,
  scopeDepthMax: 8,
  scopeBytesMax: 256,
  blobChunkBytes: 256 * 1024,
  previewBytesMax: 32 * 1024,
  replicaSetMembersMax: 16,
  addressesPerNodeMax: 8,
} as const
