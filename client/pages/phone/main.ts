/** The phone page: pairs where it has to, then shows the screens. */
import { toHex } from '../../../protocol/bytes.ts'
import { systemClock } from '../../clock.ts'
import { openBrowserKeyStore, openIdentity } from '../../index.ts'
import type { KeyStore } from '../../index.ts'
import { readAdmissionLink } from '../parts/admission-link.ts'
import { element, fill, whenDone } from '../parts/element.ts'
import { failureNotice } from '../parts/notice.ts'
import { admissionScreen } from './admission-screen.ts'
import { readHomeNode } from './home-node.ts'
import { pairWithNode } from './pairing-screen.ts'
import { Phone } from './phone.ts'
import { homePageOf } from './post.ts'
import { editProfile } from './profile-form.ts'
import { showScreens } from './router.ts'
import { isRecovered, recoverFromWords } from './recover-screen.ts'
import { forgetSaidName, keepSaidName, readSaidName } from './said-name.ts'
import { readUserLink } from './user-link.ts'
import { introduce } from './welcome-screen.ts'
import { keepWords } from './words-screen.ts'

const page = document.querySelector<HTMLElement>('#page') ?? document.body

async function start(): Promise<void> {
  const link = takeFragment()
  const keys = await openBrowserKeyStore()
  const identity = await openIdentity({ keys })
  const home = await readHomeNode(keys)
  const pairing = link?.includes('#p=') === true
  if (identity === undefined || home === undefined || pairing)
    await pairFirst(keys, pairing ? link : undefined)
  else await goOn(await Phone.open(keys, identity), link)
}

/** Where the page was closed between pairing and the profile, the profile comes first. */
async function goOn(phone: Phone, link: string | undefined): Promise<void> {
  const name = link === undefined ? await readSaidName(phone.keys) : undefined
  if (name === undefined) await show(phone, link)
  // Without the node nobody can say whether a profile is there; the screens say themselves that it is out of reach.
  else await settle(phone, name).catch(() => show(phone, link))
}

/** The fragment of a link may hold a secret: it leaves the address bar and the history at once. */
function takeFragment(): string | undefined {
  if (!/^#[pau]=/.test(location.hash)) return undefined
  const link = location.href
  history.replaceState(null, '', location.pathname)
  return link
}

async function pairFirst(keys: KeyStore, offered: string | undefined): Promise<void> {
  let given: { link: string | undefined; name: string; problem?: unknown } = { link: offered, name: '' }
  while (true) {
    const introduction = await introduce(page, { ...given, known: await openIdentity({ keys }) })
    if (introduction === 'recover') {
      await recoverFromWords(page, keys)
      continue
    }
    const { name } = introduction
    try {
      const identity = await pairWithNode(page, keys, introduction)
      if (identity !== undefined) {
        await keepSaidName(keys, name)
        await settle(await Phone.open(keys, identity), name)
        return
      }
      given = { link: undefined, name }
    } catch (problem) {
      // A link is good for one attempt, whatever ended it.
      given = { link: undefined, name, problem }
    }
  }
}

/** After pairing: the recovery words of a new person, and a profile, unless this person has one already. */
async function settle(phone: Phone, name: string): Promise<void> {
  const app = await phone.app()
  const view = await app.view('home').catch(() => undefined)
  if (view !== undefined) await phone.setHome(homePageOf(view, systemClock.nowMs()))
  // An app key comes to a person who has one; out of reach it must not be overwritten.
  const isNew =
    phone.identity.role === 'owner' && phone.home?.profile === undefined && !(await isRecovered(phone.keys))
  if (phone.lacksWords) await keepWords(page, phone)
  if (isNew) await editProfile(page, phone, { name }, true)
  await forgetSaidName(phone.keys)
  await show(phone, undefined)
}

async function show(phone: Phone, link: string | undefined): Promise<void> {
  await navigator.storage?.persist?.()
  const request = link === undefined ? undefined : readAdmissionLink(link)
  const user = link?.includes('#u=') === true ? readUserLink(link) : undefined
  if (user !== undefined) history.replaceState(null, '', `#/person/${toHex(user)}`)
  const closed = new AbortController()
  if (request !== undefined) {
    const root = element('div', { class: 'root' })
    fill(page, root)
    admissionScreen({ phone, root, signal: closed.signal }, request, systemClock.nowMs())
    window.addEventListener('hashchange', () => showScreens(page, phone, closed.signal), { once: true })
    return
  }
  showScreens(page, phone, closed.signal)
}

/** Another link opened in a tab that stands on this page changes the fragment only. */
window.addEventListener('hashchange', () => {
  if (/^#[pau]=/.test(location.hash)) location.reload()
})

whenDone(start(), (error) => {
  const again = element(
    'button',
    { type: 'button', class: 'button primary', onclick: () => location.reload() },
    'Try again',
  )
  fill(
    page,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'This did not work'),
      failureNotice(error),
      again,
    ),
  )
})
