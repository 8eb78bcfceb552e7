export const dayMs = 86_400_000
export const yearMs = 365 * dayMs

/** How nodes come and go. The lengths have the shape of the data set's sessions in both. */
export interface Profile {
  readonly name: 'home' | 'streaming'
  /** Mean time on; undefined: as the data set has it. */
  readonly onMs: number | undefined
  /** Share of the time on, from which follows the mean time off. */
  readonly availability: number
  /** At most; each is followed through every session of its holders. */
  readonly watched: number
  readonly says: string
}

export const profiles: readonly Profile[] = [
  {
    name: 'home',
    onMs: 14 * dayMs,
    availability: 0.95,
    watched: 10_000,
    says: 'Boxes that are meant to be on, with session lengths of the data set, stretched to a mean of 14 days',
  },
  {
    name: 'streaming',
    onMs: undefined,
    availability: 0.5,
    watched: 50,
    says: 'Nodes that are on for as long as somebody watched a stream, in seconds as they were measured',
  },
]
