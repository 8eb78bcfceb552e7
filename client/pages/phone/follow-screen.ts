import { equalBytes, toHex } from '../../../protocol/bytes.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { actionButton, element, field, fill, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { noticePlace } from '../parts/notice.ts'
import { personName, portrait } from '../parts/portrait.ts'
import { qrImage } from '../parts/qr-image.ts'
import type { Phone } from './phone.ts'
import { personOf } from './post.ts'
import { canScan, scan } from './scanner.ts'
import type { Screen } from './screen.ts'
import { readUserLink, userLink } from './user-link.ts'

/** Follow somebody by their link, give one's own, and see whom one follows. */
export function followScreen({ phone, root, signal }: Screen): void {
  const problems = noticePlace()
  const following = element('section', { class: 'stack tight', hidden: true })
  const mine = element('div', { class: 'my-code' })
  const link = userLink(phone.id)
  const pasted = element('input', {
    id: 'follow-link',
    inputmode: 'url',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'http://…/phone/#u=…',
  })
  const open = (id: Uint8Array): void => {
    if (equalBytes(id, phone.id)) {
      throw new OnehopError('BAD_FIELD', 'this is your own link', {
        help: 'Give it to others; they follow you by it.',
      })
    }
    location.hash = `#/person/${toHex(id)}`
  }
  const openPasted = async (): Promise<void> => {
    problems.clear()
    const id = readUserLink(pasted.value)
    if (id === undefined) {
      throw new OnehopError('BAD_FIELD', 'this is nobody’s link', {
        help: 'Ask them for the link on their Follow page, or scan the code there.',
      })
    }
    open(id)
  }
  const scanned = async (): Promise<void> => {
    problems.clear()
    const id = await scan('Scan a person’s code', readUserLink)
    if (id !== undefined) open(id)
  }
  const scanButton = actionButton('Scan their code', 'secondary', scanned, problems.show)
  scanButton.prepend(icon('scan'))
  const copied = element('span', { class: 'soft small', 'aria-live': 'polite' })
  const copy = async (): Promise<void> => {
    await copyText(link)
    copied.textContent = 'Copied'
  }
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Follow'),
      element(
        'section',
        { class: 'card stack' },
        field('Somebody’s link', pasted),
        element(
          'div',
          { class: 'row wrap' },
          actionButton('Look', 'primary', openPasted, problems.show),
          canScan() && scanButton,
        ),
        problems.element,
      ),
      element(
        'section',
        { class: 'card stack' },
        element('h2', {}, 'Your own link'),
        element('p', { class: 'soft small' }, 'Let others scan it, or send it to them.'),
        mine,
        element(
          'div',
          { class: 'row' },
          actionButton('Copy the link', 'secondary', copy, problems.show),
          copied,
        ),
      ),
      following,
    ),
  )
  whenDone(
    qrImage(link, 'Code of your own link').then((image) => fill(mine, image)),
    problems.show,
  )
  whenDone(listFollowing(phone, following, signal), (error) => {
    if (!signal.aborted) problems.show(error)
  })
}

async function listFollowing(phone: Phone, target: HTMLElement, signal: AbortSignal): Promise<void> {
  const app = await phone.app()
  const { items } = await app.collection('follows').list({ limit: 200 })
  if (signal.aborted || items.length === 0) return
  const known = new Map((phone.home?.posts ?? []).map(({ author }) => [toHex(author.id), author]))
  target.hidden = false
  fill(
    target,
    element('h2', {}, `You follow ${items.length}`),
    element(
      'ul',
      { class: 'stack tight' },
      ...items.map(({ value: { user } }) => {
        const person = known.get(toHex(user)) ?? personOf(user, undefined)
        const href = `#/person/${toHex(user)}`
        return element(
          'li',
          {},
          element(
            'a',
            { class: 'card row author', href },
            portrait(person),
            element('strong', { class: 'name' }, personName(person)),
          ),
        )
      }),
    ),
  )
}

export async function copyText(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined
  if (clipboard === undefined) {
    throw new OnehopError('UNSUPPORTED', 'this page came over plain http and may not use the clipboard', {
      help: text,
    })
  }
  await clipboard.writeText(text)
}
