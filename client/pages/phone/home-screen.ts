import { equalBytes, toHex } from '../../../protocol/bytes.ts'
import { systemClock } from '../../clock.ts'
import { element, fill, whenDone } from '../parts/element.ts'
import { noticePlace } from '../parts/notice.ts'
import { personName, portrait } from '../parts/portrait.ts'
import { countInWords, timeInWords } from '../parts/words.ts'
import { changesNotice } from './changes-notice.ts'
import { keyNotice } from './key-notice.ts'
import type { Phone } from './phone.ts'
import { homePageOf, personOf } from './post.ts'
import type { HomePage, Post } from './post.ts'
import { postCard } from './post-card.ts'
import type { Screen } from './screen.ts'
import { wordsReminder } from './words-reminder.ts'

/** After a cut: soon enough that a person sees it mend, seldom enough to spare a phone's battery. */
const retryMs = 4000

/** Own profile and what those whom one follows wrote: what the phone remembers at once, then what the node says. */
export function homeScreen({ phone, root, signal }: Screen): void {
  const problems = noticePlace()
  const head = element('header', { class: 'home-head' })
  const posts = element('div', { class: 'stack', 'aria-live': 'polite', 'aria-busy': true })
  const foot = element('p', { class: 'soft small foot' })
  const reminder = element('div', {})
  fill(root, element('main', { class: 'screen stack' }, head, reminder, problems.element, posts, foot))

  // Left alone while nothing of it changes: a button that asks back must not turn back under a finger.
  let reminded = ''
  const drawReminder = (): void => {
    const shut = [...phone.identity.state.devices.values()].filter(({ revoked }) => revoked !== undefined)
    const now = [
      shut.length,
      phone.lacksWords,
      phone.isKeyRefused,
      phone.halfShutOut !== undefined,
      ...phone.changes.map(({ entry, isDropped }) => `${toHex(entry)}${isDropped}`),
    ]
    if (now.join() === reminded) return
    reminded = now.join()
    fill(reminder, keyNotice(phone, problems.show), changesNotice(phone, problems.show), wordsReminder(phone))
  }
  const draw = (): void => {
    const page = phone.home
    drawHead(head, phone, page)
    drawReminder()
    const shown = postsOf(phone, page)
    const nowMs = systemClock.nowMs()
    posts.toggleAttribute('aria-busy', page === undefined)
    fill(
      posts,
      ...(shown.length === 0 ? [emptyFeed(page)] : shown.map((post) => postCard(phone, post, nowMs))),
    )
    foot.textContent = page === undefined ? '' : freshness(page, nowMs)
  }
  phone.onChange(draw, signal)
  draw()

  const read = async (): Promise<void> => {
    const app = await phone.app()
    const view = await app.view('home')
    if (signal.aborted) return
    problems.clear()
    await phone.setHome(homePageOf(view, systemClock.nowMs()))
    await phone.lookAtLog()
  }
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await read()
        const app = await phone.app()
        for await (const _ of app.live({ view: 'home' }, { signal })) await read()
      } catch (error) {
        if (signal.aborted) return
        problems.show(error)
        await phone.reconnect()
      }
      await systemClock.sleep(retryMs, signal)
    }
  }
  whenDone(follow(), (error) => {
    if (!signal.aborted) problems.show(error)
  })
}

function drawHead(head: HTMLElement, phone: Phone, page: HomePage | undefined): void {
  const me = personOf(phone.id, page?.profile)
  const following = page?.counts['following'] ?? 0
  const written = page?.counts['posts'] ?? 0
  fill(
    head,
    element(
      'a',
      { class: 'row author', href: '#/me' },
      portrait(me),
      element(
        'span',
        { class: 'grow' },
        element('h1', { class: 'name' }, page?.profile?.name ?? personName(me)),
        page !== undefined &&
          element(
            'span',
            { class: 'soft small' },
            `${countInWords(written, 'post', 'posts')} · following ${following.toLocaleString()}`,
          ),
      ),
    ),
  )
}

/** The feed, and own posts of this visit that it does not carry. */
function postsOf(phone: Phone, page: HomePage | undefined): readonly Post[] {
  const feed = page?.posts ?? []
  const me = personOf(phone.id, page?.profile)
  const own = phone.written
    .filter((post) => !feed.some((one) => equalBytes(one.id, post.id)))
    .map((post) => ({ ...post, author: me }))
  return [...own, ...feed].toSorted((a, b) => b.writtenMs - a.writtenMs)
}

function emptyFeed(page: HomePage | undefined): HTMLElement {
  if (page === undefined) {
    return element(
      'div',
      { class: 'empty stack tight' },
      element(
        'div',
        { class: 'spinner', role: 'status' },
        element('span', { class: 'visually-hidden' }, 'Reading'),
      ),
      element('p', { class: 'soft' }, 'Asking your node …'),
    )
  }
  return element(
    'section',
    { class: 'card stack empty' },
    element('h2', {}, 'Quiet here'),
    element(
      'p',
      { class: 'soft' },
      'Write something, or follow somebody: what they write comes to your node and waits here.',
    ),
    element(
      'div',
      { class: 'row wrap' },
      element('a', { class: 'button primary', href: '#/write' }, 'Write a post'),
      element('a', { class: 'button secondary', href: '#/follow' }, 'Follow somebody'),
    ),
  )
}

function freshness(page: HomePage, nowMs: number): string {
  const asked =
    page.requestsBetweenNodes === 0
      ? 'one request, no other node asked'
      : `${countInWords(page.requestsBetweenNodes, 'other node', 'other nodes')} asked`
  const when = timeInWords(page.readMs, nowMs)
  return `Read ${when === 'now' ? 'just now' : `${when} ago`} · ${asked}`
}
