/**
 * A process that stays in a box's network, which lasts as long as it does, and passes on what is asked of the node there: a node
 * takes administration over loopback alone, and each box has its own.
 */
import type { UnaryName, ReplyOf, RequestOf } from '../../protocol/api/operations.ts'
import { findDaemon, type Daemon } from '../../cli/daemon.ts'
import { asOnehopError } from '../../protocol/errors.ts'

export interface Question<N extends UnaryName = UnaryName> {
  readonly id: number
  readonly state: string
  readonly operation: N
  readonly request: RequestOf<N>
}

export interface Answer<N extends UnaryName = UnaryName> {
  /** 0: the door is open. */
  readonly id: number
  readonly reply?: ReplyOf<N>
  readonly error?: { readonly code: string; readonly message: string }
}

let daemon: Daemon | undefined

process.on('message', (question: Question) => {
  ask(question).then(
    (reply) => say({ id: question.id, reply }),
    (error: unknown) => {
      const { code, message } = asOnehopError(error)
      say({ id: question.id, error: { code, message } })
    },
  )
})
process.on('disconnect', () => process.exit(0))
say({ id: 0 })

async function ask({ state, operation, request }: Question): Promise<ReplyOf<UnaryName>> {
  daemon ??= await findDaemon(state)
  if (daemon === undefined) throw new Error('nobody answers there')
  return daemon.call(operation, request)
}

function say(answer: Answer): void {
  process.send?.(answer)
}
