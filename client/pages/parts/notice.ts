import { element, fill } from './element.ts'
import { icon } from './icon.ts'
import { failureInWords } from './words.ts'

/** A failure and its way out, read aloud as it appears. */
export function failureNotice(error: unknown): HTMLElement {
  const { text, help } = failureInWords(error)
  return notice('bad', text, help)
}

export function notice(kind: 'good' | 'warn' | 'bad', text: string, help?: string): HTMLElement {
  return element(
    'div',
    { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'note' },
    icon(kind === 'good' ? 'check' : 'warning'),
    element(
      'div',
      {},
      element('p', {}, text),
      help !== undefined && element('p', { class: 'soft small' }, help),
    ),
  )
}

/** A place on a page where the newest failure stands until the next attempt. */
export interface NoticePlace {
  readonly element: HTMLElement
  readonly show: (error: unknown) => void
  readonly clear: () => void
}

export function noticePlace(): NoticePlace {
  const place = element('div', { class: 'notice-place' })
  return {
    element: place,
    show: (error) => fill(place, failureNotice(error)),
    clear: () => fill(place),
  }
}
