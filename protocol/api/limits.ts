/** Numbers of the client-facing API alone; those that other families share are in protocol/limits.ts. */
export const apiLimits = {
  /** One request or reply, on every transport: a frame without its head. */
  bodyBytesMax: 1024 * 1024 - 2048,
  /** A body and the head around it: what streams between nodes take. */
  frameBytesMax: 1024 * 1024 - 1024,
  /** Records in one write; with previews they meet the frame's size first. */
  recordsPerPutMax: 256,
  keysPerGetMax: 256,
  idsPerStatusMax: 1024,
  /** Devices in a session token, each with its intervals of numbers. */
  seenDevicesMax: 64,
  seenIntervalsMax: 256,
  /** A long poll ends before proxies and phones give the connection up. */
  waitMsMax: 25_000,
  hostsPerRequestMax: 256,
  providesPerRequestMax: 1024,
  hostedPerStatusMax: 200,
  groupsPerListMax: 256,
  peersPerStatusMax: 256,
  problemsMax: 64,
  neighboursMax: 1_024,
  offersMax: 512,
  denyMax: 4096,
  /** Text, filters and, between nodes, the statistics of a scope. */
  searchQueryBytesMax: 64 * 1024,
  /** 16,384 chunks by hash: a blob of 4 GiB. */
  manifestBytesMax: 768 * 1024,
  missingChunksMax: 1000,
  settingsMax: 256,
  /** Calls under way at once in one connection; more are answered BUSY. */
  callsPerConnectionMax: 64,
  /** Live queries in one connection: one for each list on a page, several pages. */
  subscriptionsPerConnectionMax: 64,
  eventRecordsMax: 64,
  /** A name of 253 characters, scheme and port. */
  originBytesMax: 270,
  /** Collections of one app, each named. */
  tokenScopesMax: 64,
  /** So many names, keys and an origin. */
  tokenGrantBytesMax: 8 * 1024,
  /** All that a person may have at a node. */
  tokensPerListMax: 256,
  /** A signed request is good for so long: a slow link and a clock that nobody sets often. */
  signatureWindowS: 60,
  /** How far ahead of the node a signer's clock may be. Short: what is dated ahead outlives the node's memory of it. */
  signatureAheadS: 10,
  /** 16 characters of base64 are 96 random bits; a UUID and a hash fit. */
  signatureNonceMin: 16,
  signatureNonceMax: 64,
  /** Five are ours; proxies and apps may want some fields covered too. */
  signatureComponentsMax: 32,
  /** Signature-Input with as many short names, two keys and a nonce. */
  signatureFieldBytesMax: 2048,
} as const
