import type { PairingStatus } from '../../protocol/api/messages.ts'
import type { NodePairing } from '../../protocol/pairing/index.ts'

/** What the person at the node is shown. Never the digits: those only the phone shows. */
export function pairingStatus(
  pairing: NodePairing,
  shown: { readonly link: string | null; readonly typedCode: string | undefined },
  nowMs: number,
): PairingStatus {
  const { phase, locked } = pairing
  const parties = 'parties' in phase ? phase.parties : undefined
  // A pairing that was under way goes on when older ones lock the door behind it.
  return {
    state: locked && phase.state === 'burnt' ? 'locked' : phase.state,
    link: phase.state === 'waiting' ? shown.link : null,
    typedCode: phase.state === 'waiting' ? (shown.typedCode ?? null) : null,
    remainingMs: 'expiresAtMs' in phase ? Math.max(0, Math.ceil(phase.expiresAtMs - nowMs)) : null,
    reason: phase.state === 'burnt' ? phase.reason : null,
    role: parties?.role ?? null,
    label: parties?.label ?? null,
    pending:
      phase.state === 'awaiting-admission'
        ? {
            device: phase.parties.device,
            box: phase.parties.box,
            identity: phase.identity,
            possession: phase.possession ?? null,
          }
        : null,
    identity: phase.state === 'paired' ? phase.identity : null,
  }
}
