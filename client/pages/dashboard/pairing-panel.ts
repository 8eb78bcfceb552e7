import { apiLimits } from '../../../protocol/api/limits.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { spacedCode } from '../../../protocol/pairing/typed-code.ts'
import type { PairingStatus } from '../../../protocol/api/messages.ts'
import type { connectAdmin } from '../../admin.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import type { Child } from '../parts/element.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { svgImage } from '../parts/qr-image.ts'
import { countdown, shortId } from '../parts/words.ts'
import { admission } from './admission.ts'
import type { Status } from './board.ts'

export type Admin = ReturnType<typeof connectAdmin>

const firstSomebody =
  'First make a person: onehop init --user NAME on this machine, or pair a phone over https. Then show a new code.'

const burntWords: Readonly<Record<string, string>> = {
  'wrong-code': 'The digits were wrong.',
  'second-scan': 'The code was scanned twice.',
  expired: 'The time was over.',
  'broken-exchange': 'The phone sent something else than pairing expects.',
  'phone-gone': 'The phone went away before the end: its page was closed, or its connection broke.',
  'no-owner': 'Nobody lives here yet who could admit that phone.',
  cancelled: 'Pairing was cancelled.',
}

export interface PairingPanel {
  readonly element: HTMLElement
  refresh(status: Status): Promise<void>
}

/** The QR, the digits and what comes after; drawn anew only when the state changes, so that typing is not disturbed. */
export function pairingPanel(admin: Admin): PairingPanel {
  const body = element('div', { class: 'stack', 'aria-live': 'polite' })
  const problems = noticePlace()
  const left = element('p', { class: 'soft small', role: 'timer' })
  const admitting = admission(admin)
  let drawn = ''
  let status: Status | undefined

  const refresh = async (): Promise<void> => {
    const { pairing } = await admin.call('admin.pair.show', {})
    left.textContent = pairing.remainingMs === null ? '' : `Good for ${countdown(pairing.remainingMs)}`
    const key = JSON.stringify([
      pairing.state,
      pairing.link,
      pairing.typedCode,
      pairing.reason,
      pairing.label,
      pairing.pending?.possession === null,
      status?.people === 0,
    ])
    if (key !== drawn) {
      drawn = key
      fill(body, ...(await draw(pairing)))
      const [first] = body.getElementsByTagName('input')
      first?.focus()
    }
    if (pairing.state === 'awaiting-admission') await admitting.look(pairing)
  }
  const act = (work: () => Promise<unknown>) => async (): Promise<void> => {
    problems.clear()
    try {
      await work()
    } finally {
      await refresh()
    }
  }
  const open = (label: string): HTMLElement =>
    actionButton(
      label,
      'primary',
      act(() => admin.call('admin.pair.open', {})),
      problems.show,
    )
  const cancel = (): HTMLElement =>
    actionButton(
      'Cancel',
      'quiet',
      act(() => admin.call('admin.pair.cancel', {})),
      problems.show,
    )

  const draw = async (pairing: PairingStatus): Promise<readonly Child[]> => {
    switch (pairing.state) {
      case 'closed':
        return [
          element(
            'p',
            { class: 'soft' },
            'Whoever pairs a phone with this node lives here: the node keeps what they write and shows them what their friends write.',
          ),
          open('Show a pairing code'),
        ]
      case 'waiting': {
        const { qr } = await admin.call('admin.pair.show', { qr: 'svg' })
        const link = pairing.link ?? ''
        return [
          ...(status?.people === 0 && isPlainHttp(link) ? [nobodyYet] : []),
          element('p', {}, 'Scan this with the phone’s camera, or on its onehop page.'),
          ...(qr === null ? [] : [svgImage(qr, 'Pairing code')]),
          left,
          pairing.typedCode !== null &&
            element(
              'p',
              { class: 'soft typed-code' },
              `Without a camera: open ${link.split('#')[0] ?? ''} on the phone and type`,
              element('output', { 'aria-label': 'Code to type' }, spacedCode(pairing.typedCode)),
            ),
          element(
            'details',
            {},
            element('summary', {}, 'The same as a link'),
            element('p', { class: 'mono small link' }, link),
          ),
          cancel(),
        ]
      }
      case 'exchanging':
        return [element('p', {}, 'A phone has scanned the code …'), cancel()]
      case 'code':
        return [digitsForm(pairing, pairing.role === 'app' ? await people() : []), left, cancel()]
      case 'confirmed':
        return [
          notice(
            'good',
            'The digits are right.',
            'Now press “The node took the digits” on the phone; it does the rest.',
          ),
        ]
      case 'awaiting-admission':
        return [...(await admitting.draw(pairing)), cancel()]
      case 'paired':
        return [
          notice(
            'good',
            `${pairing.label ?? 'The phone'} is paired.`,
            pairing.identity === null
              ? undefined
              : `Identity ${shortId(toHex(pairing.identity))} is hosted here now.`,
          ),
          open('Pair another phone'),
        ]
      case 'burnt':
        return [
          notice(
            'warn',
            burntWords[pairing.reason ?? ''] ?? 'The code serves no more.',
            pairing.reason === 'no-owner' ? firstSomebody : 'A code is good for one attempt. Show a new one.',
          ),
          open('Show a new code'),
        ]
      case 'locked':
        return [
          notice(
            'bad',
            'Pairing is locked: three codes failed within ten minutes.',
            'Unlock it if it was you. If not, somebody near is guessing.',
          ),
          actionButton(
            'Unlock pairing',
            'secondary',
            act(() => admin.call('admin.pair.unlock', {})),
            problems.show,
          ),
        ]
    }
  }

  const nobodyYet = notice(
    'warn',
    'Nobody lives here yet, and a phone on plain http cannot be the first.',
    firstSomebody,
  )

  /** All who may admit a phone, not only those whom the board shows now. */
  const people = async (): Promise<Status['hosted']> => {
    const request = { only: 'people', brief: true, limit: apiLimits.hostedPerStatusMax } as const
    return (await admin.call('admin.status', request)).hosted
  }

  const digitsForm = (pairing: PairingStatus, owners: Status['hosted']): HTMLElement => {
    const input = element('input', {
      id: 'digits',
      class: 'digits-input',
      inputmode: 'numeric',
      autocomplete: 'off',
      pattern: '[0-9]{6}',
      maxlength: 6,
      required: true,
      placeholder: '000000',
    })
    const who = element('select', { id: 'admits' })
    for (const { identity, label } of owners) {
      const id = toHex(identity)
      who.append(element('option', { value: id }, label === null ? shortId(id) : `${label} (${shortId(id)})`))
    }
    const send = act(async () => {
      const identity = owners.find((one) => toHex(one.identity) === who.value)?.identity
      const admits = pairing.role === 'app' && identity !== undefined ? { identity } : {}
      await admin.call('admin.pair.code', { code: input.value.trim(), ...admits })
    })
    const form = element(
      'form',
      { class: 'stack' },
      field(
        `Digits that “${pairing.label ?? 'the phone'}” shows`,
        input,
        'Type them from the phone in your hand. One wrong try burns the code.',
      ),
      pairing.role === 'app' &&
        field(
          'Whose phone is it?',
          who,
          'This phone pairs as an app. A device of this person has to admit it.',
        ),
      element('button', { class: 'button primary' }, 'Check the digits'),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      send().catch(problems.show)
    })
    return form
  }

  return {
    element: element(
      'section',
      { class: 'card stack pairing' },
      element('h2', {}, 'Pair a phone'),
      body,
      problems.element,
    ),
    async refresh(now) {
      status = now
      await refresh()
    },
  }
}

/** Whether a page at this address is one that browsers do not trust with an owner's key. */
function isPlainHttp(link: string): boolean {
  const url = URL.parse(link)
  return url?.protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)
}
