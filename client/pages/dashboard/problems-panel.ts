import { element, fill } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import { spanInWords } from '../parts/words.ts'
import type { Panel } from './board.ts'

/** What is wrong, and what to do about it. Nothing at all when all is well. */
export function problemsPanel(): Panel {
  const list = element('div', { class: 'stack tight', 'aria-live': 'polite' })
  return {
    element: list,
    update({ problems }) {
      fill(
        list,
        ...problems.map(({ message, help, sinceMs }) =>
          notice('warn', message, sinceMs === 0 ? help : `For ${spanInWords(sinceMs)}. ${help}`),
        ),
      )
    },
  }
}
