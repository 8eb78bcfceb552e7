import { toHex } from '../../../protocol/bytes.ts'
import { changeInWords } from '../../index.ts'
import type { Change } from '../../index.ts'
import { actionButton, element } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import { shortId } from '../parts/words.ts'
import type { Phone } from './phone.ts'
import { shutOutButton } from './shut-out.ts'
import { canShutOut, wayOut } from './way-out.ts'

/** What other devices, or whoever has the words, did to this person's identity: until the person has read it. */
export function changesNotice(phone: Phone, failed: (error: unknown) => void): HTMLElement | false {
  const { changes, halfShutOut } = phone
  if (changes.length === 0 && halfShutOut === undefined) return false
  return element(
    'aside',
    { class: 'stack tight', 'aria-label': 'Changes to your identity' },
    ...changes.map((change) => told(phone, change, failed)),
    halfShutOut !== undefined && halfDone(phone, halfShutOut, failed),
    changes.length > 0 && actionButton('I have seen this', 'secondary', () => phone.knowChanges(), failed),
  )
}

/** What follows was not all done: who holds the data is to be signed anew, groups are to have another secret. */
function halfDone(phone: Phone, device: Uint8Array, failed: (error: unknown) => void): HTMLElement {
  return element(
    'div',
    { class: 'stack tight' },
    notice(
      'warn',
      `Device ${shortId(toHex(device))} is shut out. Your node could not do all that follows from it.`,
      'Try again, now or when your node can be reached.',
    ),
    actionButton('Try again', 'primary', () => phone.shutOut(device), failed),
  )
}

function told(phone: Phone, change: Change, failed: (error: unknown) => void): HTMLElement {
  const own = toHex(phone.identity.device.key)
  const name = (device: Uint8Array): string =>
    toHex(device) === own ? 'this phone' : `device ${shortId(toHex(device))}`
  return element(
    'div',
    { class: 'stack tight' },
    notice('warn', changeInWords(change, name), wayOut(change, phone.identity)),
    canShutOut(change, phone.identity) &&
      shutOutButton(phone, change.device as Uint8Array, 'Not me: shut it out', failed),
  )
}
