import { toHex } from '../../../protocol/bytes.ts'
import { systemClock } from '../../clock.ts'
import { actionButton, element, fill, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { noticePlace } from '../parts/notice.ts'
import { personName, portrait } from '../parts/portrait.ts'
import { shortId } from '../parts/words.ts'
import { deviceList } from './device-list.ts'
import { readHomeNode } from './home-node.ts'
import { copyText } from './follow-screen.ts'
import { scopeInWords } from './places.ts'
import { personOf, postOf } from './post.ts'
import { postCard } from './post-card.ts'
import type { Screen } from './screen.ts'
import { wordsReminder } from './words-reminder.ts'

/** Own profile, own posts, and what is under the bonnet: id, devices, node. */
export function meScreen({ phone, root, signal }: Screen): void {
  const problems = noticePlace()
  const node = element('dl', { class: 'facts' }, ...fact('Node', 'asking …'))
  const posts = element('section', { class: 'stack' })
  const profile = phone.home?.profile
  const me = personOf(phone.id, profile)
  const copied = element('span', { class: 'soft small', 'aria-live': 'polite' })
  const copy = async (): Promise<void> => {
    await copyText(toHex(phone.id))
    copied.textContent = 'Copied'
  }
  const devices = element('div', {})
  // Left alone while nothing of it changes: an open question must not close under a finger.
  let listed = ''
  const drawDevices = (): void => {
    const all = [...phone.identity.state.devices.values()]
    const now = all.map(({ key, revoked, probation }) => `${toHex(key)}${revoked !== undefined}${probation}`)
    if (now.join() === listed) return
    listed = now.join()
    fill(devices, deviceList(phone, problems.show))
  }
  phone.onChange(drawDevices, signal)
  drawDevices()
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element(
        'section',
        { class: 'card stack' },
        element(
          'div',
          { class: 'row' },
          portrait(me, 'large'),
          element('h1', { class: 'grow' }, personName(me)),
        ),
        profile?.bio !== undefined && element('p', { class: 'post-text' }, profile.bio),
        profile?.place !== undefined &&
          element('p', { class: 'row soft' }, icon('place'), scopeInWords(profile.place)),
        element('a', { class: 'button secondary', href: '#/profile' }, 'Edit profile'),
      ),
      wordsReminder(phone),
      problems.element,
      element(
        'details',
        { class: 'card' },
        element('summary', {}, 'This phone and its node'),
        element(
          'div',
          { class: 'stack' },
          element('h2', {}, 'Your id'),
          element('p', { class: 'mono id' }, toHex(phone.id)),
          element(
            'div',
            { class: 'row' },
            actionButton('Copy the id', 'secondary', copy, problems.show),
            copied,
          ),
          element('h2', {}, 'Devices'),
          devices,
          element('h2', {}, 'Node'),
          node,
        ),
      ),
      posts,
    ),
  )
  const read = async (): Promise<void> => {
    const app = await phone.app()
    const [view, home] = await Promise.all([
      app.view('person', { owner: phone.id }),
      readHomeNode(phone.keys),
    ])
    if (signal.aborted) return
    const answering = app.node()
    fill(
      node,
      ...fact('Paired with', home === undefined ? undefined : shortId(toHex(home.node))),
      ...fact('Reached by', answering.address === 'libp2p' ? 'a direct connection' : answering.address),
      ...fact('Waiting to be sent', String(app.outbox.size)),
    )
    const own = view.latest.posts?.items ?? []
    const nowMs = systemClock.nowMs()
    fill(
      posts,
      own.length > 0 && element('h2', {}, 'Your posts'),
      ...own.map((item) => {
        const post = postOf(item, me)
        const written = phone.written.find((one) => toHex(one.id) === toHex(post.id))
        return postCard(phone, { ...post, state: written?.state }, nowMs)
      }),
    )
  }
  whenDone(read(), (error) => {
    if (!signal.aborted) problems.show(error)
  })
}

function fact(name: string, value: string | undefined): HTMLElement[] {
  return value === undefined ? [] : [element('dt', {}, name), element('dd', {}, value)]
}
