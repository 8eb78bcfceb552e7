import { element, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import type { IconName } from '../parts/icon.ts'
import { personName, portrait } from '../parts/portrait.ts'
import { pictureUrl } from '../parts/picture-url.ts'
import { timeInWords } from '../parts/words.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { Phone } from './phone.ts'
import { showPicture } from './picture-viewer.ts'
import type { Post, PostState } from './post.ts'

const marks: Readonly<Record<NonNullable<PostState>, readonly [IconName, string]>> = {
  local: ['waiting', 'On this phone; on its way to your node'],
  accepted: ['check', 'On your node’s disk'],
  durable: ['checks', 'On two nodes or more'],
  refused: ['warning', 'Your node refused it'],
}

export function postCard(phone: Phone, post: Post, nowMs: number): HTMLElement {
  const { author, text, title, preview, state } = post
  const mark = state === undefined ? undefined : marks[state]
  const said = [title, text].filter((part) => part !== undefined && part !== '')
  return element(
    'article',
    { class: 'card post' },
    element(
      'header',
      { class: 'row' },
      element(
        'a',
        { class: 'row grow author', href: `#/person/${toHex(author.id)}` },
        portrait(author),
        element(
          'span',
          { class: 'grow' },
          element('strong', { class: 'name' }, personName(author)),
          element('time', { class: 'soft small' }, timeInWords(post.writtenMs, nowMs)),
        ),
      ),
      mark && element('span', { class: `mark ${state}`, title: mark[1] }, icon(mark[0], mark[1])),
    ),
    ...said.map((part, index) =>
      element('p', { class: index === 0 && title ? 'post-title' : 'post-text' }, part),
    ),
    preview && picture(phone, post, preview),
  )
}

function picture(phone: Phone, post: Post, preview: Uint8Array): HTMLElement {
  const shown = element('img', {
    src: pictureUrl(preview),
    alt: `Picture by ${personName(post.author)}`,
    class: 'post-picture',
  })
  const reference = post.picture
  if (reference === undefined) return shown
  return element(
    'button',
    {
      type: 'button',
      class: 'picture-button',
      'aria-label': `Open the whole picture by ${personName(post.author)}`,
      // The viewer tells its own failures.
      onclick: () => whenDone(showPicture(phone, post, reference), () => undefined),
    },
    shown,
  )
}
