import { equalBytes, toHex } from '../../../protocol/bytes.ts'
import { systemClock } from '../../clock.ts'
import { OnehopError } from '../../index.ts'
import type { App, ErrorCode, View } from '../../index.ts'
import { actionButton, element, fill, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { noticePlace } from '../parts/notice.ts'
import { personName, portrait } from '../parts/portrait.ts'
import type { Person } from '../parts/portrait.ts'
import { countInWords } from '../parts/words.ts'
import type { Phone } from './phone.ts'
import { scopeInWords } from './places.ts'
import { personOf, postOf } from './post.ts'
import type { Microblog } from './post.ts'
import { postCard } from './post-card.ts'
import type { Screen } from './screen.ts'

const elsewhere: ReadonlySet<ErrorCode> = new Set(['NOT_HOSTED', 'NOT_FOUND', 'UNKNOWN_IDENTITY'])

/** Somebody's page: who they are, what they wrote, and whether one follows them. */
export function personScreen({ phone, root, signal }: Screen, id: Uint8Array): void {
  const problems = noticePlace()
  const body = element(
    'div',
    { class: 'stack' },
    element('p', { class: 'soft', role: 'status' }, 'Looking them up …'),
  )
  const back = element('a', { class: 'button quiet back', href: '#/home' }, icon('back'), 'Back')
  fill(root, element('main', { class: 'screen stack' }, back, problems.element, body))

  const draw = async (): Promise<void> => {
    const app = await phone.app()
    const [view, follows] = await Promise.all([readPerson(app, id), isFollowed(app, id)])
    if (signal.aborted) return
    const profile = view?.own.profile?.value
    const person = profile === undefined ? knownPerson(phone, id) : personOf(id, profile)
    const posts = view?.latest.posts?.items ?? []
    const nowMs = systemClock.nowMs()
    const toggle = async (): Promise<void> => {
      problems.clear()
      const write = follows ? await app.unfollow(id) : await app.follow(id)
      await write.accepted
      await draw()
    }
    fill(
      body,
      element(
        'section',
        { class: 'card stack person' },
        element(
          'div',
          { class: 'row' },
          portrait(person, 'large'),
          element('h1', { class: 'grow' }, personName(person)),
        ),
        profile?.bio !== undefined && element('p', { class: 'post-text' }, profile.bio),
        profile?.place !== undefined &&
          element('p', { class: 'row soft' }, icon('place'), scopeInWords(profile.place)),
        element(
          'p',
          { class: 'soft small' },
          view === undefined
            ? 'They live at another node. Follow them, and your node fetches what they write.'
            : countInWords(view.counts['posts'] ?? posts.length, 'post', 'posts'),
        ),
        !equalBytes(id, phone.id) &&
          actionButton(
            follows ? 'Unfollow' : 'Follow',
            follows ? 'secondary' : 'primary',
            toggle,
            problems.show,
          ),
        element('p', { class: 'soft small mono id' }, toHex(id)),
      ),
      ...posts.map((item) => postCard(phone, postOf(item, person), nowMs)),
    )
  }
  whenDone(draw(), (error) => {
    if (signal.aborted) return
    fill(body)
    problems.show(error)
  })
}

/** Undefined where this node holds nothing of theirs: they can be followed all the same. */
async function readPerson(app: App<Microblog>, id: Uint8Array): Promise<View<Microblog> | undefined> {
  try {
    return await app.view('person', { owner: id })
  } catch (error) {
    if (error instanceof OnehopError && elsewhere.has(error.code)) return undefined
    throw error
  }
}

/** As their posts on the home page name them. */
function knownPerson(phone: Phone, id: Uint8Array): Person {
  const post = phone.home?.posts.find(({ author }) => equalBytes(author.id, id))
  return post?.author ?? personOf(id, undefined)
}

async function isFollowed(app: App<Microblog>, id: Uint8Array): Promise<boolean> {
  return (await app.collection('follows').get(id)) !== undefined
}
