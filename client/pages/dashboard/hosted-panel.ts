import { toHex } from '../../../protocol/bytes.ts'
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
} as const satisfies Record<Replica['state'], string>

export interface HostedPanel extends Panel {
  readonly limit: number
  /** The last of the page before, for a node that hosts more than one page. */
  after(): Uint8Array | undefined
}

/** Who lives here, how much they keep, and where their copies are. */
export function hostedPanel(changed: () => Promise<void>): HostedPanel {
  const title = element('h2', {}, 'People hosted here')
  const list = element('ul', { class: 'people' })
  const pages: Uint8Array[] = []
  let next: Uint8Array | null = null
  const back = element('button', { type: 'button', class: 'button secondary', hidden: true }, 'Back')
  const more = element('button', { type: 'button', class: 'button secondary', hidden: true }, 'Next page')
  back.addEventListener('click', () => {
    pages.pop()
    void changed()
  })
  more.addEventListener('click', () => {
    if (next !== null) pages.push(next)
    void changed()
  })
  const turn = element('div', { class: 'row', hidden: true }, back, more)
  return {
    limit: 50,
    after: () => pages.at(-1),
    element: element('section', { class: 'card stack wide' }, title, list, turn),
    update(status) {
      title.textContent = `People hosted here (${status.hostedTotal.toLocaleString()})`
      next = status.next
      back.hidden = pages.length === 0
      more.hidden = next === null
      turn.hidden = back.hidden && more.hidden
      fill(
        list,
        ...status.hosted.map(personRow),
        status.hosted.length === 0 &&
          element(
            'li',
            { class: 'soft' },
            'Nobody yet. Pair a phone: whoever pairs with this node lives here.',
          ),
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
        `${one.copies} of ${one.copiesWanted} copies`,
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
