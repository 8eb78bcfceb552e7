import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { abortReason } from './deadline.ts'
import { clientLimits } from './limits.ts'
import { probe, type Runner } from './race.ts'
import type { Transport } from './transport.ts'

export interface Watched {
  readonly member: Runner
  readonly transport: Transport
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
  /** Takes what goes on beside the call. */
  readonly inBackground: (work: Promise<unknown>) => void
}

/** While a call takes long, the node is asked so often whether it lives. */
const probeEveryMs = 2_000

/** Runs a call; when the member is silent for a while, asks whether it lives, and gives the call up when it does not. */
export async function watchedCall<T>(
  { member, transport, clock, signal, inBackground }: Watched,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(abortReason(signal))
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  let done = false
  let stop = (): void => {}
  const watch = (delayMs: number): void => {
    stop = clock.after(delayMs, () => {
      const probed = probe(transport, member, clock, clientLimits.probeMs, controller.signal)
      inBackground(
        probed.then(
          () => {
            if (!done) watch(probeEveryMs)
          },
          () => {
            if (!done) controller.abort(new OnehopError('UNREACHABLE', `${member.url} stopped answering`))
          },
        ),
      )
    })
  }
  watch(clientLimits.silenceMs)
  try {
    return await action(controller.signal)
  } finally {
    done = true
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}
