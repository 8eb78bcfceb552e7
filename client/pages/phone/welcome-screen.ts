import { toHex } from '../../../protocol/bytes.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { parsePairingLink } from '../../../protocol/pairing/link.ts'
import { httpTransport, linkFromCode } from '../../index.ts'
import type { Identity } from '../../index.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { mayHoldOwnerKey } from './owner-key.ts'
import { canScan, scan } from './scanner.ts'
import { shortId } from '../parts/words.ts'

export interface Introduction {
  readonly link: string
  readonly name: string
}

export interface Given {
  readonly link: string | undefined
  readonly name: string
  readonly problem?: unknown
  /** Who this phone is already, from recovery words or from an attempt that ended half way. */
  readonly known: Identity | undefined
}

/** The first screen: what this is, whose phone it is, and the way to the node; or the way to recovery words. */
export function introduce(root: HTMLElement, given: Given): Promise<Introduction | 'recover'> {
  const problems = noticePlace()
  const { promise, resolve } = Promise.withResolvers<Introduction | 'recover'>()
  const name = element('input', {
    id: 'name',
    autocomplete: 'name',
    maxlength: 60,
    required: true,
    placeholder: mayHoldOwnerKey() ? 'Amina Bello' : 'Old tablet',
    value: given.name,
  })
  const pasted = element('input', {
    id: 'link',
    inputmode: 'url',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'http://…/phone/#p=…',
  })

  const typed = element('input', {
    id: 'typed-code',
    inputmode: 'numeric',
    autocomplete: 'off',
    maxlength: 16,
    placeholder: '000 0000 0000',
  })

  // Who comes back has a name, which comes back with the rest.
  const asksName = given.known === undefined || !mayHoldOwnerKey()

  const go = (link: string): void => {
    const said = name.value.trim()
    if (asksName && said === '') {
      name.focus()
      throw new OnehopError('BAD_FIELD', 'the name is missing', { help: 'Write it in the field above.' })
    }
    parsePairingLink(link)
    resolve({ link, name: said })
  }
  const attempt = async (link: () => Promise<string | undefined>): Promise<void> => {
    problems.clear()
    const found = await link()
    if (found !== undefined) go(found)
  }

  const scanButton = actionButton(
    'Scan the QR code',
    'primary',
    () => attempt(() => scan('Scan the code at your node', readLink)),
    problems.show,
  )
  scanButton.prepend(icon('scan'))
  const typeButton = actionButton(
    'Pair with this code',
    canScan() ? 'secondary' : 'primary',
    () => attempt(() => linkFromCode(httpTransport({ address: location.origin }), typed.value)),
    problems.show,
  )
  const pasteButton = actionButton(
    'Pair with this link',
    'secondary',
    () => attempt(async () => pasted.value.trim()),
    problems.show,
  )
  const { link } = given
  const ways =
    link !== undefined
      ? [
          notice('good', 'Your node was found.', 'Its link came with the code that you scanned.'),
          actionButton('Pair this phone', 'primary', () => attempt(async () => link), problems.show),
        ]
      : [
          canScan() && scanButton,
          !canScan() &&
            notice(
              'warn',
              'This page cannot use the camera here.',
              'Scan the code with your phone’s own camera app: it opens the link. Or type the digits under it.',
            ),
          element(
            'details',
            { class: 'paste', open: !canScan() },
            element('summary', {}, 'Type a code instead'),
            element(
              'div',
              { class: 'stack' },
              field('Eleven digits', typed, 'They stand under the QR code at the node whose page this is.'),
              typeButton,
            ),
          ),
          element(
            'details',
            { class: 'paste' },
            element('summary', {}, 'Paste a link instead'),
            element('div', { class: 'stack' }, field('Pairing link', pasted), pasteButton),
          ),
        ]
  fill(
    root,
    element(
      'main',
      { class: 'screen welcome stack' },
      element(
        'header',
        { class: 'stack tight' },
        element('p', { class: 'brand' }, 'onehop'),
        element('h1', {}, 'Your posts, kept in a box you know'),
        element(
          'p',
          { class: 'soft' },
          'Your node stands at home or with somebody you trust. It keeps what you write, shows you what your friends write, and goes on working when the internet does not.',
        ),
      ),
      given.known !== undefined &&
        notice(
          'good',
          `This phone belongs to ${shortId(toHex(given.known.id))}.`,
          'Now pair it with the node that is to be your home. What others keep of yours comes back to it.',
        ),
      !mayHoldOwnerKey() &&
        notice(
          'warn',
          'This page came over plain http, so this phone gets an app key only.',
          'It can write for somebody who lives at the node already; their own device admits it. To make a new identity here, open the page over https, or on the node’s own machine.',
        ),
      element(
        'section',
        { class: 'card stack' },
        asksName &&
          (mayHoldOwnerKey()
            ? field('Your name', name, 'As others will see it. You can change it later.')
            : field('Name of this phone', name, 'So that you know it again at your node.')),
        ...ways,
        problems.element,
      ),
      given.known === undefined &&
        element(
          'button',
          { type: 'button', class: 'button quiet', onclick: () => resolve('recover') },
          'I have recovery words',
        ),
      element(
        'section',
        { class: 'stack tight how' },
        element('h2', {}, 'How pairing goes'),
        step('1', 'At your node, open the dashboard or type onehop pair. It shows a QR code.'),
        step('2', 'Scan it here. This phone shows six digits.'),
        step('3', 'Type them at your node. That is all.'),
      ),
    ),
  )
  if (given.problem !== undefined) problems.show(given.problem)
  return promise
}

function step(number: string, text: string): HTMLElement {
  return element(
    'p',
    { class: 'row step' },
    element('span', { class: 'step-number', 'aria-hidden': 'true' }, number),
    text,
  )
}

/** A scanned text, if it is a pairing link. One of a later version is, so that the person learns why it fails. */
function readLink(text: string): string | undefined {
  try {
    parsePairingLink(text)
    return text
  } catch (error) {
    return error instanceof OnehopError && error.code === 'UNSUPPORTED' ? text : undefined
  }
}
