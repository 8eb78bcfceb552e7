/** Numbers of the API's server side. */
export const serverLimits = {
  /** From challenge to proof: one signature and one round trip. */
  challengeLifetimeMs: 60_000,
  /** Short enough that a stolen token is soon worth nothing; a device opens another without its person. */
  sessionLifetimeMs: 60 * 60_000,
  sessionsMax: 20_000,
  /** Of people who do not live here. The rest is for those who do, however many devices and members strangers admit. */
  visitorSessionsMax: 10_000,
  /** Tabs and a warm second connection of one device. */
  sessionsPerDeviceMax: 16,
  /**
   * Signed requests remembered for a minute, at about 150 bytes each: sixty a second of one device, twice that of one
   * identity whatever devices it admits, ten times that in all.
   */
  noncesPerDeviceMax: 4_096,
  noncesPerIdentityMax: 8_192,
  noncesMax: 40_960,
  visitorNoncesMax: 20_480,
  /** A person who forgot an app is rid of it after a season. */
  appTokenLifetimeMsMax: 90 * 24 * 60 * 60_000,
  /** Revoked ones count until they would have expired. */
  appTokensPerIdentityMax: 256,
  /** All in memory, at some kilobytes each. */
  appTokensMax: 4_096,
  headersTimeoutMs: 10_000,
  /** The whole request, body included: a megabyte over a bad link. */
  requestTimeoutMs: 30_000,
  /** Of a refused body: so much and so long is read on, so that its sender comes to read why. */
  discardBytesMax: 16 * 1024 * 1024,
  discardMs: 2_000,
  /** How often the server looks for requests that are over their time. */
  timeoutCheckMs: 2_000,
  keepAliveTimeoutMs: 60_000,
  headerBytesMax: 16 * 1024,
  headersMax: 64,
  connectionsMax: 1024,
  requestsPerConnectionMax: 100_000,
  /** HTTP requests under way in the whole node. */
  requestsMax: 512,
  /** WebSockets at once. */
  socketsMax: 512,
  /** What a slow WebSocket may leave unsent before its live queries wait. */
  socketQueueBytesMax: 1024 * 1024,
  /** Frames received and not yet looked at. */
  socketUnreadMax: 64,
  pingEveryMs: 30_000,
  /** At close: how long calls under way may take to end. */
  closeGraceMs: 3_000,
  pageFileBytesMax: 16 * 1024 * 1024,
} as const
