import { toHex } from '../../../protocol/bytes.ts'
import type { Identity } from '../../index.ts'
import { actionButton, element } from '../parts/element.ts'
import { shortId } from '../parts/words.ts'
import type { Phone } from './phone.ts'
import { shutOutButton } from './shut-out.ts'

const roleNames = { owner: 'Owner', app: 'App', node: 'Node', reader: 'Reader' } as const

type Device = Identity['state']['devices'] extends ReadonlyMap<string, infer D> ? D : never

/** Whose keys are this person's, and for an owner's phone the way to shut one out, or to vouch for one that is new. */
export function deviceList(phone: Phone, failed: (error: unknown) => void): HTMLElement {
  const { state } = phone.identity
  const devices = [...state.devices.values()]
  const gone = devices.filter(({ revoked }) => revoked !== undefined)
  return element(
    'div',
    { class: 'stack tight' },
    element(
      'ul',
      { class: 'stack tight' },
      ...devices.filter(({ revoked }) => revoked === undefined).map((one) => row(phone, one, failed)),
    ),
    gone.length > 0 &&
      element(
        'p',
        { class: 'soft small' },
        `Shut out: ${gone.map(({ key }) => shortId(toHex(key))).join(', ')}`,
      ),
  )
}

function row(phone: Phone, { key, role, probation }: Device, failed: (error: unknown) => void): HTMLElement {
  const { identity } = phone
  const isOwn = toHex(key) === toHex(identity.device.key)
  // A node is taken out with its seats, where another one is.
  const mayChange = identity.role === 'owner' && !isOwn && role !== 'node'
  return element(
    'li',
    { class: 'stack tight' },
    element(
      'div',
      { class: 'row spread' },
      element('span', {}, `${roleNames[role]}${isOwn ? ' (this phone)' : ''}`),
      element('span', { class: 'soft small mono' }, `${shortId(toHex(key))}${probation ? ' · new' : ''}`),
    ),
    mayChange &&
      probation &&
      actionButton('It is mine: trust it', 'secondary', () => phone.vouchFor(key), failed),
    mayChange && shutOutButton(phone, key, 'Shut it out', failed),
  )
}
