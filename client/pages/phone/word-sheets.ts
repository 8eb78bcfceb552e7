/** What goes on paper: the 24 words on one sheet, or their three shares on three. */
import { drawAskedBack, sharesOfWords, wrongAnswers } from '../../../protocol/identity/recovery.ts'
import { defaultCrypto, idDigits } from '../../index.ts'
import { element, field } from '../parts/element.ts'

export interface WordSheet {
  readonly heading: string
  readonly hint: string
  /** What the list of words is called. */
  readonly name: string
  /** Before the number of a word that is asked back. */
  readonly prefix: string
  readonly words: readonly string[]
}

export function wholeSheet(words: readonly string[]): WordSheet {
  return {
    heading: 'Write these 24 words down',
    hint: 'On paper, in this order. If this phone and your node are gone one day, everything of yours comes back from them.',
    name: 'Recovery words',
    prefix: '',
    words,
  }
}

export function shareSheets(words: readonly string[]): readonly WordSheet[] {
  const shares = sharesOfWords(defaultCrypto(), words)
  return shares.map((share, i) => ({
    heading: `Write share ${i + 1} of ${shares.length} down`,
    hint: `On a sheet of its own, to be kept in a place of its own. Any two of the ${shares.length} bring everything back; one alone tells nothing.`,
    name: `Share ${i + 1} of ${shares.length}`,
    prefix: `Share ${i + 1}, `,
    words: share,
  }))
}

/** Beside the words the first digits of the id: anybody can make a person that names somebody's words. */
export function sheetElement({ heading, hint, name, words }: WordSheet, id: string): HTMLElement[] {
  return [
    element('h1', {}, heading),
    element('p', { class: 'soft' }, hint),
    element(
      'ol',
      { class: `card words${words.length > 24 ? ' long' : ''}`, 'aria-label': name },
      ...words.map((word) => element('li', { translate: 'no' }, element('span', { class: 'word' }, word))),
    ),
    element(
      'p',
      { class: 'soft small' },
      'And beside them the first digits of your id: ',
      element('span', { class: 'mono' }, id.slice(0, idDigits)),
    ),
  ]
}

export interface AskedBack {
  readonly fields: readonly HTMLElement[]
  readonly first: HTMLElement | undefined
  /** In words, what was answered otherwise; empty when all is right. */
  wrong(): string[]
}

/** Two words of a sheet. */
export function askedBack({ words, prefix }: WordSheet): AskedBack {
  const asked = drawAskedBack(defaultCrypto(), words.length)
  const answers = asked.map((number) =>
    element('input', {
      id: `${prefix.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}word-${number}`,
      autocomplete: 'off',
      autocapitalize: 'none',
      autocorrect: 'off',
      spellcheck: 'false',
      maxlength: 16,
    }),
  )
  const label = (number: number): string => (prefix === '' ? `Word ${number}` : `${prefix}word ${number}`)
  return {
    fields: asked.map((number, i) => field(label(number), answers[i] as HTMLElement)),
    first: answers[0],
    wrong() {
      const typed = answers.map(({ value }) => value)
      return wrongAnswers(words, asked, typed).map((number) => label(number).toLowerCase())
    },
  }
}
