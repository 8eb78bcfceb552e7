import { element } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import type { Phone } from './phone.ts'

/** As long as nothing would bring this person back. */
export function wordsReminder({ lacksWords }: Phone): HTMLElement | false {
  if (!lacksWords) return false
  return element(
    'aside',
    { class: 'stack tight', 'aria-label': 'Recovery words' },
    notice(
      'warn',
      'You have no recovery words yet.',
      'If this phone and your node are lost, so is everything of yours.',
    ),
    element('a', { class: 'button secondary', href: '#/words' }, 'Write them down now'),
  )
}
