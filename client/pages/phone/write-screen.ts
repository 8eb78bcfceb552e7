import { OnehopError } from '../../../protocol/errors.ts'
import type { Write } from '../../index.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { noticePlace } from '../parts/notice.ts'
import { pictureUrl } from '../parts/picture-url.ts'
import { bytesInWords } from '../parts/words.ts'
import type { Phone } from './phone.ts'
import { drawPicture, preview, whole } from './picture.ts'
import type { Drawn } from './picture.ts'
import { personOf } from './post.ts'
import type { Post, PostState } from './post.ts'
import type { Screen } from './screen.ts'

interface Chosen {
  readonly small: Drawn
  readonly large: Drawn
}

/** A post: words, a picture, or both. */
export function writeScreen({ phone, root }: Screen): void {
  const problems = noticePlace()
  const text = element('textarea', {
    id: 'post-text',
    maxlength: 5000,
    rows: 5,
    placeholder: 'What do you want to tell?',
  })
  const shown = element('div', { class: 'chosen-picture' })
  let chosen: Chosen | undefined

  const picker = element('input', {
    id: 'post-picture',
    type: 'file',
    accept: 'image/*',
    class: 'visually-hidden',
  })
  const choose = async (file: File): Promise<void> => {
    fill(shown, element('p', { class: 'soft', role: 'status' }, 'Making the picture smaller …'))
    const [small, large] = [await drawPicture(file, preview), await drawPicture(file, whole)]
    chosen = { small, large }
    const remove = (): void => {
      chosen = undefined
      picker.value = ''
      fill(shown)
    }
    fill(
      shown,
      element('img', { src: pictureUrl(small.bytes), alt: 'The chosen picture', class: 'post-picture' }),
      element(
        'p',
        { class: 'row spread soft small' },
        `${bytesInWords(small.bytes.length)} travel with the post, ${bytesInWords(large.bytes.length)} stay at your node`,
        element('button', { type: 'button', class: 'button quiet', onclick: remove }, 'Remove'),
      ),
    )
  }
  picker.addEventListener('change', () => {
    const [file] = picker.files ?? []
    if (file === undefined) return
    problems.clear()
    choose(file).catch((error: unknown) => {
      fill(shown)
      problems.show(error)
    })
  })

  const send = async (): Promise<void> => {
    problems.clear()
    const words = text.value.trim()
    if (words === '' && chosen === undefined) {
      text.focus()
      throw new OnehopError('BAD_FIELD', 'there is nothing to post yet', {
        help: 'Write something or choose a picture.',
      })
    }
    await writePost(phone, words, chosen)
    location.hash = '#/home'
  }
  const button = actionButton('Post', 'primary', send, problems.show)

  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'New post'),
      element(
        'section',
        { class: 'card stack' },
        field('Text', text),
        shown,
        element(
          'div',
          { class: 'row' },
          picker,
          element('label', { for: 'post-picture', class: 'button secondary' }, icon('camera'), 'Picture'),
        ),
      ),
      problems.element,
      button,
      element(
        'p',
        { class: 'hint' },
        'Posts are public. Pictures are drawn anew on this phone, without the place that cameras write into them.',
      ),
    ),
  )
  text.focus()
}

async function writePost(phone: Phone, words: string, chosen: Chosen | undefined): Promise<void> {
  const app = await phone.app()
  const picture =
    chosen === undefined
      ? undefined
      : await app.blobs.put(new Blob([Uint8Array.from(chosen.large.bytes)]), chosen.large.type)
  const write = await app.collection('posts').put({
    ...(words === '' ? {} : { text: words }),
    ...(chosen === undefined ? {} : { preview: chosen.small.bytes }),
    ...(picture === undefined ? {} : { picture }),
  })
  const post: Post = {
    id: write.local.id,
    author: personOf(phone.id, phone.home?.profile),
    title: undefined,
    text: words === '' ? undefined : words,
    preview: chosen?.small.bytes,
    picture,
    writtenMs: Number(write.local.clock >> 16n),
    state: 'local',
  }
  phone.note(post)
  watch(phone, post, write)
}

/** The mark of a post follows it on its way; a refusal shows as one. */
function watch(phone: Phone, post: Post, { accepted, durable }: Write): void {
  let reached: PostState = 'local'
  const mark = (state: PostState): void => {
    // Two copies may be reported before the first is.
    if (reached === 'durable') return
    reached = state
    phone.note({ ...post, state })
  }
  accepted.then(
    () => mark('accepted'),
    () => mark('refused'),
  )
  durable.then(
    () => mark('durable'),
    // A node alone makes nothing durable; the mark stays at what was reached.
    () => undefined,
  )
}
