import { toHex } from '../../../protocol/bytes.ts'
import { scopeChain } from '../../../protocol/scope.ts'
import { systemClock } from '../../clock.ts'
import type { App, SearchResult } from '../../index.ts'
import { element, fill, whenDone } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { personName, portrait } from '../parts/portrait.ts'
import type { Person } from '../parts/portrait.ts'
import { countInWords } from '../parts/words.ts'
import { coverageInWords } from './coverage.ts'
import type { Phone } from './phone.ts'
import { scopeInWords } from './places.ts'
import { personOf, postOf } from './post.ts'
import type { Microblog, ProfileValue } from './post.ts'
import { postCard } from './post-card.ts'
import type { Screen } from './screen.ts'

const hitsMax = 30

/** Words and how far to look: the own town first, the world last. */
export function searchScreen({ phone, root, signal }: Screen): void {
  const problems = noticePlace()
  const results = element('div', { class: 'stack', 'aria-live': 'polite' })
  const words = element('input', {
    id: 'search-words',
    type: 'search',
    enterkeyhint: 'search',
    maxlength: 200,
    placeholder: 'bicycle repair',
    'aria-label': 'What to look for',
  })
  const scopes = scopeChain(phone.home?.profile?.place ?? '/geo').toReversed()
  let scope = scopes[0] ?? '/geo'
  let asked = 0

  const look = async (): Promise<void> => {
    const text = words.value.trim()
    if (text === '') return
    const turn = ++asked
    problems.clear()
    results.setAttribute('aria-busy', 'true')
    fill(results, element('p', { class: 'soft empty', role: 'status' }, `Searching ${scopeInWords(scope)} …`))
    try {
      const app = await phone.app()
      const result = await app.search({ scope, text, limit: hitsMax })
      // A slow answer to an earlier question must not cover the newer one.
      if (turn === asked && !signal.aborted) showResult(phone, app, results, result, scope)
    } finally {
      if (turn === asked) results.removeAttribute('aria-busy')
    }
  }
  const lookNow = (): void =>
    whenDone(look(), (error) => {
      if (signal.aborted) return
      fill(results)
      problems.show(error)
    })

  const chips = element(
    'fieldset',
    { class: 'chips' },
    element('legend', { class: 'visually-hidden' }, 'How far to look'),
  )
  for (const one of scopes) {
    const input = element('input', {
      type: 'radio',
      name: 'scope',
      id: `scope-${one}`,
      value: one,
      class: 'visually-hidden',
      checked: one === scope,
    })
    input.addEventListener('change', () => {
      scope = one
      lookNow()
    })
    chips.append(input, element('label', { for: `scope-${one}`, class: 'chip' }, chipLabel(one)))
  }
  const form = element(
    'form',
    { role: 'search', class: 'row search-form' },
    words,
    element('button', { class: 'button primary square', 'aria-label': 'Search' }, icon('search')),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    lookNow()
  })
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Search'),
      form,
      chips,
      problems.element,
      results,
    ),
  )
  words.focus()
}

function chipLabel(scope: string): string {
  return scope === '/geo' ? 'World' : (scopeInWords(scope).split(',')[0] ?? scope)
}

function showResult(
  phone: Phone,
  app: App<Microblog>,
  target: HTMLElement,
  result: SearchResult<Microblog>,
  scope: string,
): void {
  const nowMs = systemClock.nowMs()
  const { summary, complete } = coverageInWords(result.coverage, nowMs)
  const cards = result.hits.map((hit) => {
    const slot = element('div', {})
    if (hit.collection === 'profile')
      fill(slot, profileCard(personOf(hit.owner, hit.item.value), hit.item.value))
    if (hit.collection !== 'posts') return slot
    const draw = (profile: ProfileValue | undefined): void =>
      fill(slot, postCard(phone, postOf(hit.item, personOf(hit.owner, profile)), nowMs))
    draw(undefined)
    // A hit carries what was found; the name costs one more question, and the post stands without it.
    const asked = app.collection('profile').get(undefined, { owner: hit.owner })
    whenDone(
      asked.then((item) => draw(item?.value)),
      () => undefined,
    )
    return slot
  })
  fill(
    target,
    element(
      'div',
      { class: `coverage ${complete ? 'complete' : 'partial'}` },
      icon(complete ? 'check' : 'warning'),
      element(
        'p',
        {},
        element('strong', {}, `${countInWords(result.total, 'hit', 'hits')} in ${scopeInWords(scope)}`),
        element('span', { class: 'soft small' }, summary),
      ),
    ),
    result.problems.length > 0 &&
      notice(
        'bad',
        'Part of this answer did not verify.',
        `${result.problems[0]}. Ask another node before you rely on it.`,
      ),
    ...cards,
    cards.length === 0 &&
      element('p', { class: 'soft empty' }, 'Nothing found. Try other words, or look further.'),
  )
}

function profileCard(person: Person, profile: ProfileValue): HTMLElement {
  return element(
    'a',
    { class: 'card row author', href: `#/person/${toHex(person.id)}` },
    portrait(person),
    element(
      'span',
      { class: 'grow' },
      element('strong', { class: 'name' }, personName(person)),
      profile.place !== undefined && element('span', { class: 'soft small' }, scopeInWords(profile.place)),
      profile.bio !== undefined && element('span', { class: 'post-text' }, profile.bio),
    ),
  )
}
