import { OnehopError } from '../../../protocol/errors.ts'
import { httpTransport } from '../../index.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { noticePlace } from '../parts/notice.ts'
import { portrait } from '../parts/portrait.ts'
import type { Phone } from './phone.ts'
import { drawPicture, thumbnail } from './picture.ts'
import { placeField } from './place-field.ts'
import { personOf } from './post.ts'
import type { ProfileValue } from './post.ts'

/** Name, words, town and face. Resolves when they are written on this phone; `false` when the person went back. */
export async function editProfile(
  root: HTMLElement,
  phone: Phone,
  before: ProfileValue,
  first: boolean,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const problems = noticePlace()
  let { thumb } = before
  const name = element('input', {
    id: 'profile-name',
    autocomplete: 'name',
    maxlength: 60,
    required: true,
    value: before.name,
  })
  const bio = element('textarea', { id: 'profile-bio', maxlength: 600, rows: 3 })
  bio.value = before.bio ?? ''
  const place = placeField(before.place ?? (first ? await regionOfNode() : undefined))
  const face = element('div', { class: 'face' })
  const drawFace = (): void =>
    fill(face, portrait({ ...personOf(phone.id, { name: name.value }), thumb }, 'large'))
  drawFace()
  name.addEventListener('input', drawFace)

  const chosen = element('input', {
    id: 'profile-face',
    type: 'file',
    accept: 'image/*',
    class: 'visually-hidden',
  })
  chosen.addEventListener('change', () => {
    const [file] = chosen.files ?? []
    if (file === undefined) return
    problems.clear()
    drawPicture(file, thumbnail).then((drawn) => {
      thumb = drawn.bytes
      drawFace()
    }, problems.show)
  })

  const save = async (): Promise<void> => {
    problems.clear()
    const said = name.value.trim()
    if (said === '') {
      name.focus()
      throw new OnehopError('BAD_FIELD', 'your name is missing', {
        help: 'Others see it beside what you write.',
      })
    }
    const scope = place.read()
    const words = bio.value.trim()
    const app = await phone.app()
    const write = await app.collection('profile').put({
      name: said,
      ...(words === '' ? {} : { bio: words }),
      ...(thumb === undefined ? {} : { thumb }),
      ...(scope === undefined ? {} : { place: scope }),
    })
    // Both go on when the node is out of reach; the outbox keeps what they wait for.
    write.durable.catch(() => undefined)
    await write.accepted
    resolve(true)
  }

  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, first ? 'Say who you are' : 'Your profile'),
      element(
        'section',
        { class: 'card stack' },
        element(
          'div',
          { class: 'row' },
          face,
          chosen,
          element(
            'label',
            { for: 'profile-face', class: 'button secondary' },
            icon('camera'),
            'Add a picture',
          ),
        ),
        field('Name', name),
        field('About you', bio, 'Anybody may read it and find you by it.'),
        place.element,
      ),
      problems.element,
      actionButton(first ? 'Save and go on' : 'Save', 'primary', save, problems.show),
      !first &&
        element('button', { type: 'button', class: 'button quiet', onclick: () => resolve(false) }, 'Back'),
    ),
  )
  return promise
}

/** People mostly live where their node stands. */
async function regionOfNode(): Promise<string | undefined> {
  try {
    const { region } = await httpTransport({ address: location.origin }).call(
      'node.info',
      {},
      { timeoutMs: 3000 },
    )
    return region ?? undefined
  } catch {
    // A suggestion, nothing more.
    return undefined
  }
}
