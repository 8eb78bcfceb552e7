/** The 24 recovery words, or three shares of them: shown, then two words of each sheet asked back. */
import { toHex } from '../../../protocol/bytes.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { makeRecovery } from '../../index.ts'
import { actionButton, element, fill } from '../parts/element.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { mayHoldOwnerKey } from './owner-key.ts'
import type { Phone } from './phone.ts'
import { askedBack, shareSheets, sheetElement, wholeSheet, type WordSheet } from './word-sheets.ts'

interface Steps {
  readonly root: HTMLElement
  /** In hex. */
  readonly id: string
  readonly whole: WordSheet
  /** Made once: sheets of two sets would not go together. */
  readonly shares: readonly WordSheet[]
  readonly done: () => Promise<void>
  readonly later: () => void
}

/**
 * Makes words for a person who has none. Resolves when some were typed back and the words are in force, or when the
 * person puts it off: then they are gone, and others are made next time.
 */
export function keepWords(root: HTMLElement, phone: Phone): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (!mayHoldOwnerKey()) {
    fill(
      root,
      element(
        'main',
        { class: 'screen stack' },
        plainHttpNotice(),
        quietButton('Back', () => resolve()),
      ),
    )
    return promise
  }
  const { words } = makeRecovery()
  showWhole({
    root,
    id: toHex(phone.id),
    whole: wholeSheet(words),
    shares: shareSheets(words),
    async done() {
      await phone.useWords(words)
      resolve()
    },
    later: () => resolve(),
  })
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

function showWhole(steps: Steps): void {
  const { whole, later } = steps
  show(steps, whole, [
    nextButton('I have written them down', () => ask(steps, [whole], () => showWhole(steps))),
    quietButton('Split them into three shares', () => showShare(steps, 0)),
    quietButton('Do it later', later),
    element(
      'p',
      { class: 'hint' },
      'Shares are for three places: any two bring everything back, one alone tells nothing. Put off, these words are forgotten, and you are shown others. You are reminded of it.',
    ),
  ])
}

function showShare(steps: Steps, index: number): void {
  const { shares } = steps
  const next = (): void => {
    if (index + 1 < shares.length) showShare(steps, index + 1)
    else ask(steps, shares, () => showShare(steps, 0))
  }
  show(steps, shares[index] as WordSheet, [
    nextButton('I have written it down', next),
    quietButton(index === 0 ? 'Back to the 24 words' : 'Back', () =>
      index === 0 ? showWhole(steps) : showShare(steps, index - 1),
    ),
  ])
}

function show({ root, id }: Steps, sheet: WordSheet, buttons: readonly HTMLElement[]): void {
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      ...sheetElement(sheet, id),
      notice(
        'warn',
        sheet.prefix === '' ? 'Whoever has these words is you.' : 'Whoever has two of the shares is you.',
        'They read what is private, and can shut you out. No photograph, no message, no cloud. Nobody ever asks you for them.',
      ),
      ...buttons,
    ),
  )
  window.scrollTo(0, 0)
}

function ask({ root, done }: Steps, sheets: readonly WordSheet[], again: () => void): void {
  const problems = noticePlace()
  const asked = sheets.map(askedBack)
  const check = async (): Promise<void> => {
    problems.clear()
    const wrong = asked.flatMap((one) => one.wrong())
    if (wrong.length > 0)
      throw new OnehopError(
        'BAD_FIELD',
        wrong.length === 1 ? `${wrong[0]} is another one` : `${wrong.join(' and ')} are other ones`,
        { help: 'Look at your paper again, or have the words shown once more.' },
      )
    await done()
  }
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, sheets.length === 1 ? 'Two of them back' : 'Two of each back'),
      element('p', { class: 'soft' }, 'From your paper, so that you know it is right.'),
      element('section', { class: 'card stack' }, ...asked.flatMap(({ fields }) => fields), problems.element),
      actionButton('Check', 'primary', check, problems.show),
      quietButton(sheets.length === 1 ? 'Show the words again' : 'Show the shares again', again),
    ),
  )
  window.scrollTo(0, 0)
  asked[0]?.first?.focus()
}

function nextButton(label: string, onclick: () => void): HTMLElement {
  return element('button', { type: 'button', class: 'button primary', onclick }, label)
}

function quietButton(label: string, onclick: () => void): HTMLElement {
  return element('button', { type: 'button', class: 'button quiet', onclick }, label)
}
