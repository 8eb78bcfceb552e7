import { parsePairingLink } from '../../../protocol/pairing/link.ts'
import { systemClock } from '../../clock.ts'
import { microblog, pair } from '../../index.ts'
import type { Identity, KeyStore, PairingRun } from '../../index.ts'
import { actionButton, element, fill } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { notice } from '../parts/notice.ts'
import { countdown } from '../parts/words.ts'
import { keepHomeNode } from './home-node.ts'
import { mayHoldOwnerKey } from './owner-key.ts'
import type { Introduction } from './welcome-screen.ts'

const labelMax = 40

/**
 * Connects to the node, shows the digits, and ends with an identity that the node hosts. Undefined when the person
 * went back; rejects with what went wrong.
 */
export async function pairWithNode(
  root: HTMLElement,
  keys: KeyStore,
  { link, name }: Introduction,
): Promise<Identity | undefined> {
  const offer = parsePairingLink(link)
  const cancelled = new AbortController()
  const role = mayHoldOwnerKey() ? 'owner' : 'app'
  showConnecting(root, () => cancelled.abort())
  let run: PairingRun
  try {
    run = await pair(link, {
      keys,
      role,
      label: labelOf(name.slice(0, labelMax), role),
      schemas: [microblog],
      signal: cancelled.signal,
    })
  } catch (error) {
    if (cancelled.signal.aborted) return undefined
    throw error
  }
  cancelled.signal.addEventListener('abort', () => run.cancel())
  const ended = new AbortController()
  showDigits(root, run, offer.lifetimeS, role, ended.signal, () => cancelled.abort())
  try {
    const paired = await run.done
    const info = await paired.transport.call('node.info', {})
    await keepHomeNode(keys, { node: paired.node, addresses: [...offer.addresses, ...info.addresses] })
    await paired.transport.close()
    return paired.identity
  } catch (error) {
    if (cancelled.signal.aborted) return undefined
    throw error
  } finally {
    ended.abort()
  }
}

/** Who came back from recovery words was not asked for a name. */
function labelOf(name: string, role: 'owner' | 'app'): string {
  if (name === '') return 'A phone'
  return role === 'owner' ? `${name}’s phone` : name
}

function showConnecting(root: HTMLElement, back: () => void): void {
  fill(
    root,
    element(
      'main',
      { class: 'screen centred stack' },
      element(
        'div',
        { class: 'spinner', role: 'status' },
        element('span', { class: 'visually-hidden' }, 'Connecting'),
      ),
      element('h1', {}, 'Looking for your node'),
      element(
        'p',
        { class: 'soft' },
        'The phone and the node must be on the same network, or the node reachable from it.',
      ),
      element('button', { type: 'button', class: 'button quiet', onclick: back }, 'Back'),
    ),
  )
}

function showDigits(
  root: HTMLElement,
  run: PairingRun,
  lifetimeS: number,
  role: 'owner' | 'app',
  ended: AbortSignal,
  back: () => void,
): void {
  const left = element('p', { class: 'soft', role: 'timer' })
  const each = run.digits.split('')
  const digits = element(
    'output',
    { class: 'digits', 'aria-live': 'polite', 'aria-label': each.join(' ') },
    ...each.map((digit) => element('span', { 'aria-hidden': 'true' }, digit)),
  )
  const after =
    role === 'owner'
      ? 'Then this phone makes your identity. Its key stays on this phone.'
      : 'Then the node asks for an owner’s device that admits this phone: it gets an app key, which writes for you and cannot admit others.'
  const accepted = actionButton(
    'The node took the digits',
    'primary',
    async () => {
      run.confirm()
      showFinishing(root, role, back)
    },
    () => undefined,
  )
  fill(
    root,
    element(
      'main',
      { class: 'screen centred stack' },
      element('h1', {}, 'Type these at the node'),
      digits,
      left,
      notice('good', 'Go on only when your own node says that the digits are right.', after),
      accepted,
      element('button', { type: 'button', class: 'button quiet', onclick: back }, 'Cancel'),
    ),
  )
  const endMs = systemClock.monotonicMs() + lifetimeS * 1000
  const tick = (): void => {
    const leftMs = endMs - systemClock.monotonicMs()
    left.textContent =
      leftMs > 0 ? `Good for ${countdown(leftMs)}` : 'The time is over: show a new code at the node.'
    if (leftMs <= 0 || !left.isConnected) return
    const stop = systemClock.after(1000, tick)
    ended.addEventListener('abort', stop, { once: true })
  }
  tick()
}

function showFinishing(root: HTMLElement, role: 'owner' | 'app', back: () => void): void {
  fill(
    root,
    element(
      'main',
      { class: 'screen centred stack' },
      element(
        'div',
        { class: 'spinner', role: 'status' },
        element('span', { class: 'visually-hidden' }, 'Working'),
      ),
      element('h1', {}, role === 'owner' ? 'Moving in' : 'Waiting to be admitted'),
      element(
        'p',
        { class: 'soft' },
        role === 'owner'
          ? 'Your identity is made, the node admitted, and neighbours are asked to keep copies.'
          : 'Open the node’s dashboard: it says which device of yours can admit this phone.',
      ),
      element('p', { class: 'row soft' }, icon('waiting'), 'Waiting for the node'),
      element('button', { type: 'button', class: 'button quiet', onclick: back }, 'Cancel'),
    ),
  )
}
