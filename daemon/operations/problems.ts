import { apiLimits } from '../../protocol/api/limits.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosted } from '../hosting.ts'
import type { Network } from '../net/rpc.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'

type Problem = ReplyOf<'admin.status'>['problems'][number]

export interface ProblemParts {
  readonly config: Config
  readonly network: Network
  readonly neighbours: Neighbours
  readonly replicaSets: ReplicaSets
  readonly hosted: readonly Hosted[]
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly store: Pick<Store, 'stats'>
  /** Of the disk that holds the state; undefined where nobody can tell. */
  readonly freeBytes: number | undefined
}

/**
 * With less, a busy hour may fill the disk: the database has a buffer of 64 MiB in its log, another on its way into a
 * file, and merges as much again before it deletes anything. The fourth part is for opening it anew, and for the person.
 */
const freeBytesMin = 256 * 2 ** 20

/** What a person should do something about, in words. Nothing that mends itself within a heartbeat or two. */
export function findProblems(parts: ProblemParts): Problem[] {
  const all = [failingStore, littleSpace, alone, fewCopies, awayReplicas].flatMap((find) => find(parts))
  return all.slice(0, apiLimits.problemsMax)
}

/** A box works as it should though somebody has few copies: a first box in a street always begins so. */
export function isHealthy(problems: readonly Problem[]): boolean {
  return problems.every(({ code }) => code === 'FEW_COPIES')
}

function failingStore({ store, clock }: ProblemParts): Problem[] {
  const { failure } = store.stats()
  if (failure === undefined) return []
  const { code, message, help } = failure.error
  const sinceMs = Math.floor(clock.monotonicMs() - failure.sinceMs)
  const text = `Nothing can be written: ${message}.`.slice(0, 1024)
  return [problem(code, text, help, sinceMs)]
}

function littleSpace({ config, freeBytes }: ProblemParts): Problem[] {
  if (config.store === 'memory' || freeBytes === undefined || freeBytes >= freeBytesMin) return []
  const [free, least] = [freeBytes, freeBytesMin].map((bytes) => Math.floor(bytes / 2 ** 20))
  return [
    problem(
      'LITTLE_SPACE',
      `The disk has ${free} MiB left; the store wants ${least}.`,
      'Free some space, or move the state folder to a larger disk. Until then writes may soon be refused.',
    ),
  ]
}

function alone({ config, network }: ProblemParts): Problem[] {
  if (config.network.bootstrap.length === 0 || network.rpc.connected().length > 0) return []
  const message = 'No other node answers, though some were named.'
  return [problem('ALONE', message, "Check network.bootstrap in the config, and this box's connection.")]
}

function fewCopies({ config, replicaSets, hosted }: ProblemParts): Problem[] {
  const short = hosted.filter(({ owner, person }) => {
    const set = replicaSets.get(owner)?.newest
    return person && config.hosting.copies > 0 && set !== undefined && set.members.length <= set.copies
  })
  if (short.length === 0) return []
  const people = hosted.filter(({ person }) => person).length
  const who =
    people === 1
      ? 'The person who lives here has'
      : `${short.length} of ${people} people who live here ${short.length === 1 ? 'has' : 'have'}`
  const message = `${who} fewer copies than they asked for.`
  return [
    problem('FEW_COPIES', message, 'Find more neighbours who offer space: hosting.offerTo on their boxes.'),
  ]
}

function awayReplicas({ neighbours, replicaSets, hosted }: ProblemParts): Problem[] {
  const members = new Set<string>()
  for (const { owner } of hosted) for (const node of replicaSets.members(owner)) members.add(node)
  const away = [...members].filter((node) => neighbours.isSuspect(node))
  return away.map((node) =>
    problem(
      'REPLICA_AWAY',
      `Node ${node.slice(0, 12)}… keeps copies and has not answered for a while.`,
      'Another takes its seat after hosting.replaceAfterMs; nothing needs to be done if that is near.',
      Math.floor(neighbours.awayMs(node)),
    ),
  )
}

function problem(code: string, message: string, help: string, sinceMs = 0): Problem {
  return { code, message, help, sinceMs }
}
