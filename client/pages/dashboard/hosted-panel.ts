import { toHex } from '../../../protocol/bytes.ts'
import type { RequestOf } from '../../../protocol/api/operations.ts'
import { element, fill } from '../parts/element.ts'
import { bytesInWords, countInWords, shortId, spanInWords } from '../parts/words.ts'
import type { Panel, Status } from './board.ts'

type Hosted = Status['hosted'][number]
type Replica = Hosted['replicas'][number]

const replicaWords = {
  current: 'current',
  behind: 'catching up',
  away: 'away',
  joining: 'joining',
  failed: 'could not show it',
} as const satisfies Record<Replica['state'], string>

/** A screenful: what stands below must not be pushed out of sight by a full house. */
const shownMax = 10

export interface HostedPanel extends Panel {
  /** The page of the list that is looked at. */
  request(): RequestOf<'admin.status'>
}

/** Who lives here, how much they keep, and where their copies are. */
export function peoplePanel(changed: () => void): HostedPanel {
  const title = element('h2', {}, 'People who live here')
  const list = pagedList('people', changed)
  return {
    element: element('section', { class: 'card stack wide' }, title, ...list.elements),
    request: list.request,
    update(status) {
      title.textContent = `People who live here (${status.people.toLocaleString()})`
      list.draw(status, 'Nobody yet. Pair a phone: whoever pairs with this node lives here.')
    },
  }
}

/** What others left here under leases. Closed until somebody wants to know, and then asked for by itself. */
export function copiesPanel(
  ask: (request: RequestOf<'admin.status'>) => Promise<Status>,
  failed: (error: unknown) => void,
): Panel {
  const read = (): void => {
    if (details.open)
      ask(list.request()).then((page) => list.draw(page, 'None: nobody left copies here.'), failed)
  }
  const list = pagedList('copies', read)
  const summary = element('summary', {}, 'Copies kept for others')
  const details = element('details', {}, summary, element('div', { class: 'stack' }, ...list.elements))
  details.addEventListener('toggle', read)
  return {
    element: element('section', { class: 'card wide' }, details),
    update({ hostedTotal, people }) {
      const others = hostedTotal - people
      summary.textContent =
        others === 0
          ? 'No copies kept for others'
          : `Copies kept for ${countInWords(others, 'other', 'others')}`
      read()
    },
  }
}

/** A list of thousands, ten at a time. */
function pagedList(only: 'people' | 'copies', changed: () => void) {
  const list = element('ul', { class: 'people' })
  const pages: Uint8Array[] = []
  let next: Uint8Array | null = null
  const back = element('button', { type: 'button', class: 'button secondary', hidden: true }, 'Back')
  const more = element('button', { type: 'button', class: 'button secondary', hidden: true }, 'More')
  const turn = element('div', { class: 'row', hidden: true }, back, more)
  back.addEventListener('click', () => {
    pages.pop()
    changed()
  })
  more.addEventListener('click', () => {
    if (next !== null) pages.push(next)
    changed()
  })
  return {
    elements: [list, turn],
    request(): RequestOf<'admin.status'> {
      const after = pages.at(-1)
      return { only, limit: shownMax, ...(after === undefined ? {} : { after }) }
    },
    draw(page: Pick<Status, 'hosted' | 'next'>, none: string): void {
      next = page.next
      back.hidden = pages.length === 0
      more.hidden = next === null
      turn.hidden = back.hidden && more.hidden
      fill(
        list,
        ...page.hosted.map(personRow),
        page.hosted.length === 0 && element('li', { class: 'soft' }, none),
      )
    },
  }
}

function personRow(one: Hosted): HTMLElement {
  const id = toHex(one.identity)
  const enough = one.copies >= one.copiesWanted
  return element(
    'li',
    { class: 'person-row' },
    element(
      'div',
      { class: 'grow' },
      element('strong', {}, one.label || shortId(id)),
      !!one.label && element('span', { class: 'soft small mono block', title: id }, shortId(id)),
    ),
    element(
      'div',
      { class: 'amount' },
      element('span', {}, countInWords(one.records, 'record', 'records')),
      element(
        'span',
        { class: 'soft small block' },
        `${bytesInWords(one.bytes)} of ${bytesInWords(one.quotaBytes)}`,
      ),
    ),
    element(
      'div',
      { class: 'copies' },
      element(
        'span',
        { class: `badge ${enough ? 'good' : 'warn'}` },
        one.copiesWanted <= 1 ? 'this copy only' : `${one.copies} of ${one.copiesWanted} copies`,
      ),
      element('span', { class: 'dots' }, ...one.replicas.map(dot)),
    ),
  )
}

function dot({ node, state, lastSeenMs }: Replica): HTMLElement {
  const seen = lastSeenMs === null || lastSeenMs === 0 ? '' : ` for ${spanInWords(lastSeenMs)}`
  const words = `${shortId(toHex(node))}: ${replicaWords[state]}${seen}`
  return element('span', { class: `dot ${state}`, role: 'img', 'aria-label': words, title: words })
}
