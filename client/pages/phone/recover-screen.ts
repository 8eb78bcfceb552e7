/** From the words on paper to the identity, on a phone that is nobody's yet. Pairing with a node follows. */
import { findRecoverable, httpTransport, recoverIdentity } from '../../index.ts'
import type { Claimant, KeyStore } from '../../index.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { noticePlace } from '../parts/notice.ts'
import { mayHoldOwnerKey } from './owner-key.ts'
import { plainHttpNotice } from './words-screen.ts'

const recoveredName = 'page/recovered'

/** A profile comes back with the rest, so it must not be asked for and overwritten. */
export async function isRecovered(keys: KeyStore): Promise<boolean> {
  return (await keys.get(recoveredName)) !== undefined
}

/** Resolves when this phone is the person's again, or with false when they went back. */
export function recoverFromWords(root: HTMLElement, keys: KeyStore): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const problems = noticePlace()
  const typed = element('textarea', {
    id: 'recovery-words',
    rows: 6,
    autocomplete: 'off',
    autocapitalize: 'none',
    autocorrect: 'off',
    spellcheck: 'false',
  })
  const found = element('div', { class: 'stack', 'aria-live': 'polite' })
  const join = async (claimant: Claimant): Promise<void> => {
    problems.clear()
    const transport = httpTransport({ address: location.origin })
    await recoverIdentity({ words: typed.value, keys, transport, identity: claimant.identity })
    typed.value = ''
    await keys.write(new Map([[recoveredName, new Uint8Array([1])]]))
    resolve(true)
  }
  // Nobody is joined before the person compared the id: anybody can make a person that names these words.
  const find = async (): Promise<void> => {
    problems.clear()
    found.replaceChildren()
    const transport = httpTransport({ address: location.origin })
    const claimants = await findRecoverable({ words: typed.value, transport })
    found.replaceChildren(
      element('h2', {}, 'Is this what stands on your paper?'),
      element(
        'p',
        { class: 'soft small' },
        'Beside the words you wrote the first digits of your id. Anybody can make a person that names your words: other digits are not you.',
      ),
      ...claimants.map((claimant) =>
        element(
          'section',
          { class: 'card stack' },
          element('p', { class: 'mono' }, claimant.firstDigits),
          element('p', { class: 'soft small' }, `Devices and nodes: ${claimant.devices.length}`),
          actionButton('Yes, these digits', 'primary', () => join(claimant), problems.show),
        ),
      ),
    )
  }
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Your recovery words'),
      ...(mayHoldOwnerKey()
        ? [
            element(
              'p',
              { class: 'soft' },
              'Your node asks the others who holds what these words open. Then this phone is yours, and you pair it with the node that is to be your home.',
            ),
            element(
              'section',
              { class: 'card stack' },
              field(
                'The 24 words',
                typed,
                'In their order, with spaces between; or two shares of 33 words, one after the other.',
              ),
              problems.element,
              actionButton('Find what is mine', 'primary', find, problems.show),
            ),
            found,
          ]
        : [plainHttpNotice()]),
      element('button', { type: 'button', class: 'button quiet', onclick: () => resolve(false) }, 'Back'),
    ),
  )
  window.scrollTo(0, 0)
  return promise
}
