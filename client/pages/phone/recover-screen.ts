/** From the words on paper to the identity, on a phone that is nobody's yet. Pairing with a node follows. */
import { fromHex } from '../../../protocol/bytes.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { httpTransport, recoverIdentity } from '../../index.ts'
import type { KeyStore } from '../../index.ts'
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
  const id = element('input', { id: 'recovery-id', autocomplete: 'off', spellcheck: 'false', maxlength: 64 })
  const recover = async (): Promise<void> => {
    problems.clear()
    const chosen = id.value.trim().toLowerCase()
    if (chosen !== '' && fromHex(chosen, 32) === undefined)
      throw new OnehopError('BAD_FIELD', 'an id is 64 letters and digits', {
        help: 'Leave it empty if you do not have it whole.',
      })
    await recoverIdentity({
      words: typed.value,
      keys,
      transport: httpTransport({ address: location.origin }),
      ...(chosen === '' ? {} : { identity: chosen }),
    })
    typed.value = ''
    await keys.write(new Map([[recoveredName, new Uint8Array([1])]]))
    resolve(true)
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
              field('The 24 words', typed, 'In their order, with spaces between.'),
              element(
                'details',
                { class: 'paste' },
                element('summary', {}, 'If several people are found'),
                field(
                  'Your id',
                  id,
                  'Anybody can make a person that names your words. The beginning of yours is on your paper.',
                ),
              ),
              problems.element,
              actionButton('Find what is mine', 'primary', recover, problems.show),
            ),
          ]
        : [plainHttpNotice()]),
      element('button', { type: 'button', class: 'button quiet', onclick: () => resolve(false) }, 'Back'),
    ),
  )
  window.scrollTo(0, 0)
  return promise
}
