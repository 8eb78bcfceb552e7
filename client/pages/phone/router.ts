/** Which screen stands where, and the bar to go between them. Addresses live in the fragment, so Back works. */
import { fromHex } from '../../../protocol/bytes.ts'
import { element, fill, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import type { IconName } from '../parts/icon.ts'
import { failureNotice } from '../parts/notice.ts'
import { followScreen } from './follow-screen.ts'
import { homeScreen } from './home-screen.ts'
import { meScreen } from './me-screen.ts'
import { personScreen } from './person-screen.ts'
import type { Phone } from './phone.ts'
import { editProfile } from './profile-form.ts'
import type { Screen } from './screen.ts'
import { searchScreen } from './search-screen.ts'
import { keepWords } from './words-screen.ts'
import { writeScreen } from './write-screen.ts'

const tabs: readonly (readonly [string, IconName, string])[] = [
  ['home', 'home', 'Home'],
  ['search', 'search', 'Search'],
  ['write', 'write', 'Write'],
  ['follow', 'follow', 'Follow'],
  ['me', 'me', 'Me'],
]

/** Draws the screen of the address now and at every change of it, until the signal aborts. */
export function showScreens(page: HTMLElement, phone: Phone, signal: AbortSignal): void {
  const root = element('div', { class: 'root' })
  const links = tabs.map(([name, drawing, label]) =>
    element('a', { class: `tab ${name}`, href: `#/${name}` }, icon(drawing), element('span', {}, label)),
  )
  const bar = element('nav', { class: 'tabs', 'aria-label': 'Pages' }, ...links)
  fill(page, root, bar)
  let shown: AbortController | undefined

  const draw = (): void => {
    const [, name = 'home', argument = ''] = location.hash.split('/')
    shown?.abort()
    shown = new AbortController()
    for (const [index, [tab]] of tabs.entries()) {
      if (tab === name) links[index]?.setAttribute('aria-current', 'page')
      else links[index]?.removeAttribute('aria-current')
    }
    window.scrollTo(0, 0)
    show({ phone, root, signal: AbortSignal.any([shown.signal, signal]) }, name, argument)
  }
  window.addEventListener('hashchange', draw, { signal })
  draw()
}

function show(screen: Screen, name: string, argument: string): void {
  switch (name) {
    case 'search':
      return searchScreen(screen)
    case 'write':
      return writeScreen(screen)
    case 'follow':
      return followScreen(screen)
    case 'me':
      return meScreen(screen)
    case 'person': {
      const id = fromHex(argument, 32)
      return id === undefined ? homeScreen(screen) : personScreen(screen, id)
    }
    case 'words':
      return whenDone(writeWordsDown(screen), (error) => {
        if (!screen.signal.aborted) fill(screen.root, failureNotice(error))
      })
    case 'profile':
      return whenDone(changeProfile(screen), (error) => {
        if (!screen.signal.aborted) fill(screen.root, failureNotice(error))
      })
    default:
      return homeScreen(screen)
  }
}

async function writeWordsDown({ phone, root, signal }: Screen): Promise<void> {
  if (phone.lacksWords) await keepWords(root, phone)
  if (!signal.aborted) location.hash = '#/home'
}

async function changeProfile({ phone, root, signal }: Screen): Promise<void> {
  await editProfile(root, phone, phone.home?.profile ?? {}, false)
  if (!signal.aborted) location.hash = '#/me'
}
