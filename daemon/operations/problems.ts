import type { ReplyOf } from '../../protocol/api/operations.ts'
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
}

/** What a person should do something about, in words. Nothing that mends itself within a heartbeat or two. */
export function findProblems(parts: ProblemParts): Problem[] {
  return [...alone(parts), ...fewCopies(parts), ...awayReplicas(parts)]
}

/** A box works as it should though somebody has few copies: a first box in a street always begins so. */
export function isHealthy(problems: readonly Problem[]): boolean {
  return problems.every(({ code }) => code === 'FEW_COPIES')
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
