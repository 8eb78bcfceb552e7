import { actionButton, element } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import type { Phone } from './phone.ts'

/** Nodes refuse what this phone signs: a copy of it, or it itself before it came back from a backup, used a number before. */
export function keyNotice(phone: Phone, failed: (error: unknown) => void): HTMLElement | false {
  if (!phone.isKeyRefused) return false
  const renew = async (): Promise<void> => {
    await phone.renewKey()
    // Everything here was made with the old key.
    location.reload()
  }
  return element(
    'aside',
    { class: 'stack tight', 'aria-label': 'The key of this phone' },
    notice(
      'warn',
      'Your node takes nothing more that this phone signs: a copy of it has written under the same key.',
      'Give this phone a key of its own. What was written stays, and what waits is sent.',
    ),
    actionButton('Give it a new key', 'primary', renew, failed),
  )
}
