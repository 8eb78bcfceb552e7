/** The 24 recovery words: shown, then two of them asked back. */
import { toHex } from '../../../protocol/bytes.ts'
import { drawAskedBack, wrongAnswers } from '../../../protocol/identity/recovery.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { defaultCrypto, idDigits, makeRecovery } from '../../index.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { mayHoldOwnerKey } from './owner-key.ts'
import type { Phone } from './phone.ts'

/**
 * Makes words for a person who has none. Resolves when both were typed back and the words are in force, or when the
 * person puts it off: then they are gone, and others are made next time.
 */
export function keepWords(root: HTMLElement, phone: Phone): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (!mayHoldOwnerKey()) {
    const back = element(
      'button',
      { type: 'button', class: 'button quiet', onclick: () => resolve() },
      'Back',
    )
    fill(root, element('main', { class: 'screen stack' }, plainHttpNotice(), back))
    return promise
  }
  const { words } = makeRecovery()
  const written = async (): Promise<void> => {
    await phone.useWords(words)
    resolve()
  }
  const show = (): void => showWords(root, words, toHex(phone.id), ask, () => resolve())
  const ask = (): void => askBack(root, words, show, written)
  show()
  return promise
}

/** What to do instead where anybody between could read along. */
export function plainHttpNotice(): HTMLElement {
  return notice(
    'warn',
    'Recovery words are neither shown nor typed on this page: it came over plain http.',
    'Whoever is between could read along. Open the page over https or on the node’s own machine, or type there: onehop recover.',
  )
}

function showWords(
  root: HTMLElement,
  words: readonly string[],
  id: string,
  done: () => void,
  later: () => void,
): void {
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Write these 24 words down'),
      element(
        'p',
        { class: 'soft' },
        'On paper, in this order. If this phone and your node are gone one day, everything of yours comes back from them.',
      ),
      element(
        'ol',
        { class: 'card words', 'aria-label': 'Recovery words' },
        ...words.map((word) => element('li', { translate: 'no' }, element('span', { class: 'word' }, word))),
      ),
      element(
        'p',
        { class: 'soft small' },
        'And beside them the first digits of your id: ',
        element('span', { class: 'mono' }, id.slice(0, idDigits)),
      ),
      notice(
        'warn',
        'Whoever has these words is you.',
        'They read what is private, and can shut you out. No photograph, no message, no cloud. Nobody ever asks you for them.',
      ),
      element(
        'button',
        { type: 'button', class: 'button primary', onclick: done },
        'I have written them down',
      ),
      element('button', { type: 'button', class: 'button quiet', onclick: later }, 'Do it later'),
      element(
        'p',
        { class: 'hint' },
        'Then these words are forgotten, and you are shown others. You are reminded of it.',
      ),
    ),
  )
  window.scrollTo(0, 0)
}

function askBack(
  root: HTMLElement,
  words: readonly string[],
  again: () => void,
  done: () => Promise<void>,
): void {
  const problems = noticePlace()
  const asked = drawAskedBack(defaultCrypto())
  const answers = asked.map((number) =>
    element('input', {
      id: `word-${number}`,
      autocomplete: 'off',
      autocapitalize: 'none',
      autocorrect: 'off',
      spellcheck: 'false',
      maxlength: 16,
    }),
  )
  const check = async (): Promise<void> => {
    problems.clear()
    const typed = answers.map(({ value }) => value)
    const wrong = wrongAnswers(words, asked, typed)
    if (wrong.length > 0) {
      throw new OnehopError(
        'BAD_FIELD',
        wrong.length === 1
          ? `word ${wrong[0]} is another one`
          : `words ${wrong.join(' and ')} are other ones`,
        {
          help: 'Look at your paper again, or have the words shown once more.',
        },
      )
    }
    await done()
  }
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Two of them back'),
      element('p', { class: 'soft' }, 'From your paper, so that you know it is right.'),
      element(
        'section',
        { class: 'card stack' },
        ...asked.map((number, i) => field(`Word ${number}`, answers[i] as HTMLElement)),
        problems.element,
      ),
      actionButton('Check', 'primary', check, problems.show),
      element('button', { type: 'button', class: 'button quiet', onclick: again }, 'Show the words again'),
    ),
  )
  window.scrollTo(0, 0)
  answers[0]?.focus()
}
