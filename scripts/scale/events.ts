/** What the agenda holds; whom each is about. */
export const events = {
  /** A box goes on or off. */
  toggle: 0,
  /** A box leaves for good. */
  leave: 1,
  /** A shard's holders look whether somebody is to be replaced. */
  look: 2,
  /** The owner's app is opened. */
  app: 3,
  /** Records have come to a new holder: an index into the fills. */
  filled: 4,
  /** The person has another box, and moves in. */
  moveIn: 5,
  /** A day is over. */
  day: 6,
} as const
