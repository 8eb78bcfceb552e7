import { parseArgs } from 'node:util'

export interface Options {
  /** Where the figures go as one JSON object. */
  readonly json: string | undefined
  /** Leave the nodes running when all is done. */
  readonly keep: boolean
  /** So many people at most; the whole set otherwise. */
  readonly people: number
  /** The nodes' state and logs; a folder of this run's own otherwise. */
  readonly folder: string | undefined
  readonly help: boolean
}

export const help = `./scripts/neighbourhood: eight nodes on this machine do the whole job and show their figures

  --json FILE    write the figures as one JSON object
  --keep         leave the nodes running and print the addresses of their pages
  --small        500 people in place of all
  --people N     so many people
  --folder DIR   keep the nodes' state and logs there (made; must not exist)
  --help         this text

Exits with 1 and names the figure when one is not as it must be, with 2 when the options are wrong.
`

const smallPeople = 500
/** Fewer do not fill six homes. */
const peopleMin = 60

/** Throws an Error that says what is wrong. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      small: { type: 'boolean', default: false },
      people: { type: 'string' },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const people = values.people === undefined ? undefined : Number(values.people)
  if (people !== undefined && (!Number.isInteger(people) || people < peopleMin)) {
    throw new Error(`--people needs a whole number from ${peopleMin} on`)
  }
  return {
    json: values.json,
    keep: values.keep,
    people: people ?? (values.small ? smallPeople : Number.POSITIVE_INFINITY),
    folder: values.folder,
    help: values.help,
  }
}
