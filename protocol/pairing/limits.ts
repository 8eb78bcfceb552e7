/** Numbers of pairing. */
export const pairingLimits = {
  secretBytes: 16,
  nonceBytes: 32,
  digits: 6,
  /** Of the code that is typed in place of a QR. */
  typedDigits: 11,
  /** Guesses at it, three in 10^11, before the node has to show another. The QR beside it is not touched by them. */
  typedTriesMax: 3,
  /** One message of its exchange; the longest has 427. */
  exchangeBytesMax: 1024,
  /** Long enough to fetch a phone, short enough that a photograph of the screen is stale tomorrow. */
  lifetimeSDefault: 300,
  lifetimeSMax: 3600,
  /** A QR of version 40 holds more; a camera reads this one from a metre. */
  linkLengthMax: 1024,
  addressBytesMax: 256,
  labelBytesMax: 64,
  /** From the right code to the phone's identity log: the phone may ask its person first. */
  identityWaitMs: 5 * 60_000,
  /** From the right code to the owner's admission of an app key. */
  admissionWaitMs: 15 * 60_000,
  /** Three guesses in a million every ten minutes, and then a person has to come and unlock. */
  burntMax: 3,
  burntWindowMs: 10 * 60_000,
  messageBytesMax: 96 * 1024,
  /** What a node may say while the phone still waits for its person. */
  heldMessagesMax: 4,
} as const
