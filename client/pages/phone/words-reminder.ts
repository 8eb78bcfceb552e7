import { element } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import type { Phone } from './phone.ts'

/** As long as the recovery words were not written down. */
export function wordsReminder({ words }: Phone): HTMLElement | false {
  if (words === undefined) return false
  return element(
    'aside',
    { class: 'stack tight', 'aria-label': 'Recovery words' },
    notice(
      'warn',
      'Your recovery words are not written down yet.',
      'If this phone and your node are lost, so is everything of yours.',
    ),
    element('a', { class: 'button secondary', href: '#/words' }, 'Write them down now'),
  )
}
